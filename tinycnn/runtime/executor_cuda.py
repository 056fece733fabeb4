"""Runs a verified program on a CUDA device: rows become one graph of launches and copies, replayed per inference."""

import collections
import functools
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinycnn.errors import FeedError
from tinycnn.kernels.cuda.driver import Backend, Copy, Launch, Task
from tinycnn.kernels.cuda.launch import CudaKernel
from tinycnn.planner.dependencies import History, touched
from tinycnn.planner.program import Port, Program, decode

ALIGNMENT = 16  # of arrays that kernels read in whole vectors
CONTEXTS_KEPT = 16


class Uploads:
    """Packed weights on the device: each block once, for as long as the host's block lives."""

    def __init__(self, backend: Backend):
        self.backend = backend
        self.addresses: dict[int, int] = {}
        self.lock = threading.Lock()

    def address(self, block: np.ndarray) -> int:
        with self.lock:
            if id(block) not in self.addresses:
                address = self.backend.allocate(block.nbytes)
                self.backend.copy("to device", block.ctypes.data, address, block.nbytes)
                self.addresses[id(block)] = address
                weakref.finalize(block, self.forget, id(block)).atexit = False
            return self.addresses[id(block)]

    def forget(self, key: int) -> None:
        with self.lock:
            self.backend.free(self.addresses.pop(key))


@functools.cache
def uploads(backend: Backend) -> Uploads:
    return Uploads(backend)


class DeviceArray:
    """A result that stays on the device: for `__cuda_array_interface__` and DLPack; `numpy()` copies it to the host."""

    def __init__(self, backend: Backend, source: int, shape: Sequence[int], dtype: np.dtype):
        self.backend, self.shape, self.dtype = backend, tuple(shape), dtype
        self.nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        self.address = backend.allocate(self.nbytes)
        weakref.finalize(self, backend.free, self.address).atexit = False
        backend.copy("on device", source, self.address, self.nbytes)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (self.address, False), "version": 3}

    def __dlpack__(self, **options: Any) -> Any:
        return self.view().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.view().__dlpack_device__()

    def view(self) -> Any:
        from cuda.core.utils import StridedMemoryView

        return StridedMemoryView.from_cuda_array_interface(self, stream_ptr=-1)

    def numpy(self) -> np.ndarray:
        y = np.empty(self.shape, self.dtype)
        self.backend.copy("to host", self.address, y.ctypes.data, self.nbytes)
        return y


class Context:
    """The memory of one inference at a time, and the work that runs in it.

    given  for each input the address of an array of the user's on the device, or None for one that the host feeds
    """

    def __init__(self, program: Program, backend: Backend, given: tuple[int | None, ...]):
        self.arena = backend.allocate(program.arena_bytes)
        weakref.finalize(self, backend.free, self.arena).atexit = False
        addresses = uploads(backend)
        self.bases = [
            addresses.address(b.weights) if b.weights is not None else self.arena + (b.offset or 0)
            for b in program.buffers
        ]
        self.sources = [self.address(port) for port in program.outputs]
        for port, address in zip(program.inputs, given, strict=True):
            if address is not None:
                self.bases[port.buffer] = address
        fed = [port for port, address in zip(program.inputs, given, strict=True) if address is None]
        staging = {port.name: backend.host(port.spec.nbytes) for port in (*fed, *program.outputs)}
        self.inputs = [
            staging[port.name].view(port.spec.dtype).reshape(port.spec.dims) if address is None else None
            for port, address in zip(program.inputs, given, strict=True)
        ]
        self.outputs = [staging[p.name].view(p.spec.dtype).reshape(p.spec.dims) for p in program.outputs]
        self.work = backend.work(list(self.tasks(program, fed, staging)))

    def address(self, port: Port) -> int:
        return self.bases[port.buffer] + port.offset

    def tasks(self, program: Program, fed: Sequence[Port], staging: dict[str, np.ndarray]) -> "list[Task]":
        """Feeds to the device, the rows, and results to the host, each after those whose bytes it needs."""
        history = History(program.arena_bytes)
        tasks: list[Task] = []

        def place(port: Port) -> list[tuple[int, int]]:
            buffer = program.buffers[port.buffer]
            start = (buffer.offset or 0) + port.offset
            return [] if buffer.weights is not None else [(start, start + port.spec.nbytes)]

        for port in fed:
            after = history.step(len(tasks), [], place(port))
            host = staging[port.name].ctypes.data
            tasks.append(Copy(tuple(sorted(after)), "to device", host, self.address(port), port.spec.nbytes))
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
        for port in program.outputs:
            after = history.step(len(tasks), place(port), [])
            host = staging[port.name].ctypes.data
            tasks.append(Copy(tuple(sorted(after)), "to host", self.address(port), host, port.spec.nbytes))
        return tasks


class Executor:
    """A program bound to a device. `run` may be called from many threads at once."""

    def __init__(self, program: Program, backend: Backend):
        self.program, self.backend = program, backend
        self.contexts: collections.deque[tuple[tuple[int | None, ...], Context]] = collections.deque()
        self.lock = threading.Lock()
        self.release(self.take((None,) * len(program.inputs)))

    @functools.cached_property
    def input_names(self) -> tuple[str, ...]:
        return tuple(port.name for port in self.program.inputs)

    def take(self, given: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], Context]:
        with self.lock:
            for i, (known, context) in enumerate(self.contexts):
                if known == given:
                    del self.contexts[i]
                    return known, context
        return given, Context(self.program, self.backend, given)

    def release(self, pair: tuple[tuple[int | None, ...], Context]) -> None:
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
            None if isinstance(feed, np.ndarray) else device_address(port, feed)
            for port, feed in zip(self.program.inputs, feeds, strict=True)
        )
        pair = self.take(given)
        context = pair[1]
        for view, feed in zip(context.inputs, feeds, strict=True):
            if view is not None:
                np.copyto(view, feed)
        context.work.run()
        if any(address is not None for address in given):
            ports = zip(context.sources, self.program.outputs, strict=True)
            results = [DeviceArray(self.backend, source, port.spec.dims, port.spec.dtype) for source, port in ports]
        else:
            results = [view.copy() for view in context.outputs]
        self.release(pair)
        return results


def device_address(port: Port, feed: Any) -> int:
    """Where an array of the device lies. Raises FeedError where kernels could not read it there."""
    interface = feed.__cuda_array_interface__
    address, strides = interface["data"][0], interface.get("strides")
    dense = contiguous_strides(port) if strides else None
    if (strides and tuple(strides) != dense) or address % ALIGNMENT:
        raise FeedError(f"input {port.name!r}: an array on the device must be contiguous and {ALIGNMENT}-byte aligned")
    return int(address)


def contiguous_strides(port: Port) -> tuple[int, ...]:
    """In bytes, of an array with the port's spec."""
    steps = np.cumprod([port.spec.dtype.itemsize, *port.spec.dims[:0:-1]])
    return tuple(int(s) for s in steps[::-1])[: len(port.spec.dims)]
