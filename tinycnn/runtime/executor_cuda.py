"""Runs a verified program on a CUDA device: rows become one graph of launches and copies, replayed per inference."""

import collections
import functools
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tinycnn.kernels.cuda.driver import Backend, Copy, Launch, Task
from tinycnn.kernels.cuda.launch import CudaKernel
from tinycnn.planner.dependencies import History, touched
from tinycnn.planner.program import Port, Program, decode
from tinycnn.runtime.device_array import DeviceArray, address

CONTEXTS_KEPT = 16

Given = tuple[int | None, ...]


class Uploads:
    """Packed weights on the device: each block once, for as long as the host's block lives.

    Python may collect a block, which is then forgotten, while this very thread uploads another.
    """

    def __init__(self, backend: Backend):
        self.backend = backend
        self.addresses: dict[int, int] = {}
        self.lock = threading.RLock()

    def address(self, block: np.ndarray) -> int:
        with self.lock:
            if id(block) not in self.addresses:
                address = self.backend.allocate(block.nbytes)
                try:
                    self.backend.copy("to device", block.ctypes.data, address, block.nbytes)
                except BaseException:
                    self.backend.free(address)
                    raise
                self.addresses[id(block)] = address
                weakref.finalize(block, self.forget, id(block)).atexit = False
            return self.addresses[id(block)]

    def forget(self, key: int) -> None:
        with self.lock:
            self.backend.free(self.addresses.pop(key))


stores: weakref.WeakKeyDictionary[Backend, Uploads] = weakref.WeakKeyDictionary()


def uploads(backend: Backend) -> Uploads:
    return stores.setdefault(backend, Uploads(backend))


class Context:
    """The memory of one inference at a time, and the work that runs in it.

    given  for each input the address of an array of the user's on the device, or None for one that the host feeds;
           results leave the device only if it feeds all
    """

    def __init__(self, program: Program, backend: Backend, given: Given):
        self.arena = backend.allocate(program.arena_bytes)
        weakref.finalize(self, backend.free, self.arena).atexit = False
        addresses = uploads(backend)
        self.bases = [
            addresses.address(b.weights) if b.weights is not None else self.arena + (b.offset or 0)
            for b in program.buffers
        ]
        for port, there in zip(program.inputs, given, strict=True):
            if there is not None:
                self.bases[port.buffer] = there
        self.sources = [self.place(port) for port in program.outputs]
        fed = [port for port, there in zip(program.inputs, given, strict=True) if there is None]
        left = program.outputs if len(fed) == len(program.inputs) else ()
        staging = {port: backend.host(port.spec.nbytes) for port in (*fed, *left)}
        views = {p: memory.view(p.spec.dtype).reshape(p.spec.dims) for p, memory in staging.items()}
        self.inputs = [views.get(port) for port in program.inputs]
        self.outputs = [views[port] for port in left]
        self.work = backend.work(self.tasks(program, fed, left, staging))

    def place(self, port: Port) -> int:
        return self.bases[port.buffer] + port.offset

    def tasks(
        self, program: Program, fed: Sequence[Port], left: Sequence[Port], staging: Mapping[Port, np.ndarray]
    ) -> list[Task]:
        """Feeds to the device, the rows, and results to the host, each after those whose bytes it needs."""
        history = History(program.arena_bytes)
        tasks: list[Task] = []

        def span(port: Port) -> list[tuple[int, int]]:
            buffer = program.buffers[port.buffer]
            start = (buffer.offset or 0) + port.offset
            return [] if buffer.weights is not None else [(start, start + port.spec.nbytes)]

        for port in filled(fed):
            after = history.step(len(tasks), [], span(port))
            host = staging[port].ctypes.data
            tasks.append(Copy(tuple(sorted(after)), "to device", host, self.place(port), port.spec.nbytes))
        for number, row in enumerate(program.rows):
            kernel = program.kernels[row.kernel]
            assert isinstance(kernel, CudaKernel)
            after = history.step(len(tasks), *touched(program, number))
            slots = np.array(row.slots, np.int64)
            for i, f in enumerate(kernel.fields):
                if f.is_address and slots[i]:
                    buffer, offset = decode(int(slots[i]))
                    slots[i] = self.bases[buffer] + offset
            tasks.append(Launch(tuple(sorted(after)), kernel, kernel.blocks(program.values(row)), slots))
        for port in filled(left):
            after = history.step(len(tasks), span(port), [])
            host = staging[port].ctypes.data
            tasks.append(Copy(tuple(sorted(after)), "to host", self.place(port), host, port.spec.nbytes))
        return tasks


def filled(ports: Sequence[Port]) -> list[Port]:
    """Those with any elements: CUDA copies nothing of no bytes."""
    return [port for port in ports if port.spec.nbytes]


class Executor:
    """A program bound to a device. `run` may be called from many threads at once."""

    on_device: ClassVar[bool] = True

    def __init__(self, program: Program, backend: Backend):
        self.program, self.backend = program, backend
        self.contexts: collections.deque[tuple[Given, Context]] = collections.deque()
        self.lock = threading.Lock()
        self.release(self.take((None,) * len(program.inputs)))

    @functools.cached_property
    def input_names(self) -> tuple[str, ...]:
        return tuple(port.name for port in self.program.inputs)

    def take(self, given: Given) -> tuple[Given, Context]:
        with self.lock:
            for i, (known, context) in enumerate(self.contexts):
                if known == given:
                    del self.contexts[i]
                    return known, context
        return given, Context(self.program, self.backend, given)

    def release(self, pair: tuple[Given, Context]) -> None:
        with self.lock:
            self.contexts.append(pair)
            while len(self.contexts) > CONTEXTS_KEPT:
                self.contexts.popleft()

    def run(self, feeds: Sequence[Any]) -> list[Any]:
        """Outputs as fresh arrays of the host, or, if any feed is on the device, as `DeviceArray`s.

        feeds: arrays of the host or the device, in the order and with the specs of the program's inputs. Those of the
        device are read where they lie. Raises FeedError for one that is not contiguous or not aligned.
        """
        given = tuple(
            None if isinstance(feed, np.ndarray) else address(port.name, feed, port.spec)
            for port, feed in zip(self.program.inputs, feeds, strict=True)
        )
        stays = any(place is not None for place in given)
        if stays:
            self.backend.wait()
        pair = self.take(given)
        context = pair[1]
        for view, feed in zip(context.inputs, feeds, strict=True):
            if view is not None:
                np.copyto(view, feed)
        context.work.run()
        results: list[Any] = [view.copy() for view in context.outputs]
        if stays:
            ports = zip(context.sources, self.program.outputs, strict=True)
            results = [DeviceArray(self.backend, source, port.spec) for source, port in ports]
        self.release(pair)
        return results
