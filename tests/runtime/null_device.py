"""A device that keeps books and computes nothing: what the executor asks of one, in which order, what it gives back."""

import ctypes
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinycnn.errors import DeviceError
from tinycnn.kernels.cuda import driver
from tinycnn.kernels.cuda.driver import Copy, Launch, Task

Spans = list[tuple[int, int]]  # of addresses: [start, stop)
FIRST = 1 << 50  # beyond every address of the host
RESULT = 7  # every byte that comes from the device


class NullDevice:
    """Implements `Backend`. Addresses are never given twice, so that what is freed twice or used too late shows.

    fails_at  number of the call, from 1, that raises DeviceError; 0 for none
    live      address -> size of what is allocated and not given back
    held      address -> bytes that were copied there from the host
    """

    title, number, capability, multiprocessors = "nothing", 0, 90, 4

    def __init__(self, fails_at: int = 0):
        self.fails_at, self.calls, self.waits, self.next = fails_at, 0, 0, FIRST
        self.live: dict[int, int] = {}
        self.held: dict[int, bytes] = {}
        self.sizes: list[int] = []
        self.staging: list[np.ndarray] = []
        self.copies: list[tuple[str, int, int, int]] = []
        self.works: list[NullWork] = []
        self.during = threading.Barrier(1)
        self.lock = threading.RLock()

    def called(self) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            raise DeviceError("out of order")

    def allocate(self, nbytes: int) -> int:
        with self.lock:
            self.called()
            address, self.next = self.next, self.next + nbytes + -nbytes % 256 + 256
            self.live[address] = nbytes
            self.sizes.append(nbytes)
            return address

    def free(self, address: int) -> None:
        with self.lock:
            del self.live[address]

    def host(self, nbytes: int) -> np.ndarray:
        self.called()
        self.staging.append(np.zeros(nbytes, np.uint8))
        return self.staging[-1]

    def copy(self, kind: str, source: int, target: int, nbytes: int) -> None:
        self.called()
        with self.lock:
            self.copies.append((kind, source, target, nbytes))
            if kind == "to device":
                self.held[target] = ctypes.string_at(source, nbytes)
            elif kind == "to host":
                ctypes.memset(target, RESULT, nbytes)

    def wait(self) -> None:
        self.waits += 1

    def work(self, tasks: Sequence[Task]) -> "NullWork":
        self.called()
        self.works.append(NullWork(self, tasks))
        return self.works[-1]

    def extent(self, address: int) -> tuple[int, int]:
        """First address and size of the allocation that this address lies in."""
        [found] = [(start, size) for start, size in self.live.items() if start <= address < start + size]
        return found


class NullWork:
    """Does the copies between the host and the device, and counts its runs; `device.during` is passed in each."""

    def __init__(self, device: NullDevice, tasks: Sequence[Task]):
        self.device, self.tasks, self.runs = device, tasks, 0

    def run(self) -> None:
        self.device.called()
        self.runs += 1
        for task in self.tasks:
            if isinstance(task, Copy):
                self.device.copy(task.kind, task.source, task.target, task.nbytes)
        self.device.during.wait()


def plug_in(device: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sessions find this device, whatever number they ask for; the list will hold the numbers."""
    asked: list[int] = []

    def open_gpu(number: int = 0) -> Any:
        asked.append(number)
        return device

    monkeypatch.setattr(driver, "open_gpu", open_gpu)
    return asked


def foreign(address: int, shape: tuple[int, ...], typestr: str = "<f4", **more: Any) -> SimpleNamespace:
    """An array of another library on the device, of which its interface is all that is known."""
    told = {"shape": shape, "typestr": typestr, "data": (address, False), "version": 3, **more}
    return SimpleNamespace(__cuda_array_interface__=told)


def touched(task: Task, device: NullDevice) -> tuple[Spans, Spans]:
    """What a task reads and writes, by the addresses that it was given and what its kernel says of them."""
    if isinstance(task, Copy):
        return [(task.source, task.source + task.nbytes)], [(task.target, task.target + task.nbytes)]
    assert isinstance(task, Launch)
    values = SimpleNamespace()
    for f, slot in zip(task.kernel.fields, task.slots.tolist(), strict=True):
        if f.kind == "table":
            start, size = device.extent(slot)
            setattr(values, f.name, np.frombuffer(device.held[start][slot - start : size // 8 * 8], np.int64))
        else:
            setattr(values, f.name, slot)
    slots = {f.name: slot for f, slot in zip(task.kernel.fields, task.slots.tolist(), strict=True)}
    ranges = [r for r in task.kernel.ranges(values) if slots[r.field] and r.stop > r.start]
    reads, writes = (
        [(slots[r.field] + r.start, slots[r.field] + r.stop) for r in ranges if r.writes is is_write]
        for is_write in (False, True)
    )
    return reads, writes
