"""What this machine can do at most, measured on the spot: multiply-adds of one core, and bytes that threads read."""

import time
from dataclasses import dataclass

import numpy as np

from tinycnn.ir.memory import OVERREAD, aligned
from tinycnn.kernels.cpu import limits
from tinycnn.kernels.cpu.isa import Isa
from tinycnn.kernels.kernel import Kernel
from tinycnn.planner.program import Buffer, Program, Row, Step, encode
from tinycnn.planner.verify import verify
from tinycnn.runtime.executor_cpu import Executor

# Beyond every cache, and times of which the best counts.
READ_BYTES = 1 << 28
COUNT, BEST_OF = 1_000_000, 15


@dataclass(frozen=True)
class Machine:
    """core_gflops: GFLOP/s of one core, two for each multiply-add; read_gbs: GB/s that `threads` read from memory."""

    threads: int
    core_gflops: float
    read_gbs: float

    @property
    def gflops(self) -> float:
        """Of as many cores as there are threads."""
        return self.core_gflops * self.threads


def program(kernel: Kernel, values: np.ndarray, size: int, number: int, isa: Isa, threads: int) -> Program:
    """One row: the kernel with `size` f32 that begin with the values, its sums, and its third field."""
    block = aligned(4 * size + OVERREAD)
    block.fill(0)
    block[: values.nbytes] = values.view(np.uint8)
    sums = 4 * isa.lanes * max(threads, limits.chains(isa.name))
    buffers = (
        Buffer("source", 4 * size, weights=block, first=0, last=0),
        Buffer("sums", sums, offset=0, first=0, last=0),
    )
    row = Row(0, (encode(0, 0), encode(1, 0), number), 0)
    step = Step(kernel.name, "", "", "", 1, 0, 1.0, (), (), 0)
    return verify(Program((kernel,), (row,), buffers, (), (), sums, isa.name, threads, steps=(step,)))


def best_seconds(program: Program) -> float:
    executor = Executor(program)
    times = []
    for _ in range(1 + BEST_OF):
        start = time.perf_counter()
        executor.run([])
        times.append(time.perf_counter() - start)
    return min(times)


def measure(isa: Isa, threads: int, read_bytes: int = READ_BYTES) -> Machine:
    """Takes about half a second. read_bytes: how many are streamed; fewer would come from a cache."""
    chains = limits.chains(isa.name)
    operands = np.linspace(0.4, 0.6, (2 + chains) * isa.lanes, dtype=np.float32)  # sums stay finite
    peak_s = best_seconds(program(limits.peak(isa.name), operands, operands.size, COUNT, isa, 1))
    blocks = read_bytes // (4 * limits.LINES * isa.lanes)
    size = blocks * limits.LINES * isa.lanes
    read_s = best_seconds(program(limits.read(isa.name), np.empty(0, np.float32), size, blocks, isa, threads))
    return Machine(threads, 2e-9 * COUNT * chains * isa.lanes / peak_s, 4e-9 * size / read_s)
