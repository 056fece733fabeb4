"""A device without a GPU: the host's memory with guard zones, and Numba's simulator to run kernels.

The threads of a block run one at a time, from one barrier to the next, in an order that changes every time: a result
that depends on the order shows. Numba's own threads compete for Python's one interpreter and take ten times as long.
"""

import random
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.driver import Copy, Launch, Task

GUARD = 4096  # bytes on either side of an allocation
PATTERN = 0xFF  # reads as NaN


class SimulatedWork:
    """Tasks in their order; a task may wait only for earlier ones."""

    def __init__(self, backend: "SimulatedDevice", tasks: Sequence[Task]):
        assert all(i < number for number, task in enumerate(tasks) for i in task.after)
        self.backend, self.tasks = backend, tasks

    def run(self) -> None:
        for task in self.tasks:
            if isinstance(task, Copy):
                self.backend.copy(task.kind, task.source, task.target, task.nbytes)
            elif isinstance(task, Launch):
                launch(task)
        self.backend.check()


def in_turn() -> Any:
    """Numba's manager of a simulated block, with its threads in turn."""
    from numba.cuda.simulator.kernel import BlockManager, BlockThread

    class Thread(BlockThread):
        def run(self) -> None:
            self.turn = threading.Semaphore(0)
            self.syncthreads()
            super().run()
            self._manager.turn.release()

        def syncthreads(self) -> None:
            self._manager.waiting.append(self)
            self._manager.turn.release()
            self.turn.acquire()

    class Manager(BlockManager):
        def run(self, grid_point: Sequence[int], *args: Any) -> None:
            self.turn, self.waiting, order = threading.Semaphore(0), [], random.Random(0)
            for point in np.ndindex(*self._block_dim):
                Thread(lambda: self._f(*args), self, grid_point, point, False).start()
                self.turn.acquire()
            while self.waiting:
                threads, self.waiting = self.waiting, []
                order.shuffle(threads)
                for thread in threads:
                    thread.turn.release()
                    self.turn.acquire()
                    if thread.exception:
                        raise thread.exception[0].with_traceback(thread.exception[1])
                assert len(self.waiting) in (0, len(threads)), "some threads of a block missed a barrier"

    return Manager


def launch(task: Launch) -> None:
    from numba import cuda
    from numba.cuda.simulator import kernel

    kernel.BlockManager = in_turn()
    arguments = [
        float(slot.view(np.float32)[0]) if f.kind == "f32" else int(slot[0])
        for f, slot in zip(task.kernel.fields, task.slots.reshape(-1, 1), strict=True)
    ]
    arguments = [np.float32(a) if f.kind == "f32" else a for f, a in zip(task.kernel.fields, arguments, strict=True)]
    cuda.jit(task.kernel.build())[task.blocks, task.kernel.threads](*arguments)


class SimulatedDevice:
    """Implements `Backend`. Every allocation is filled with NaN and stands between guard zones that must not change."""

    title, number, capability, multiprocessors = "Numba's simulator", 0, 90, 4

    def __init__(self) -> None:
        self.memory: dict[int, np.ndarray] = {}

    def allocate(self, nbytes: int) -> int:
        raw = np.full(nbytes + 2 * GUARD + 256, PATTERN, np.uint8)
        address = raw.ctypes.data + GUARD
        address += -address % 256
        self.memory[address] = raw[address - raw.ctypes.data - GUARD :][: nbytes + 2 * GUARD]
        return int(address)

    def free(self, address: int) -> None:
        del self.memory[address]

    def check(self) -> None:
        for raw in self.memory.values():
            assert (raw[:GUARD] == PATTERN).all() and (raw[-GUARD:] == PATTERN).all(), "a kernel wrote out of bounds"

    def host(self, nbytes: int) -> np.ndarray:
        return np.zeros(nbytes, np.uint8)

    def copy(self, kind: str, source: int, target: int, nbytes: int) -> None:
        import ctypes

        ctypes.memmove(target, source, nbytes)

    def wait(self) -> None:
        """Nothing is under way."""

    def work(self, tasks: Sequence[Task]) -> SimulatedWork:
        return SimulatedWork(self, tasks)
