"""The kernels that measure the machine do what is counted of them."""

import re
import sys

import numpy as np
import pytest

from tests.kernels.cpu.every import available
from tests.kernels.cpu.test_free_standing import loops
from tinycnn.kernels.cpu import limits, native
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.planner.program import Program
from tinycnn.profile.machine import program
from tinycnn.runtime import executor_cpu
from tinycnn.runtime.executor_cpu import Executor

ISA_NAMES = pytest.mark.parametrize("name", ISAS)


def sums(p: Program, count: int, lanes: int) -> np.ndarray:
    executor = Executor(p)
    executor.run([])
    return executor.contexts[0].arena[: 4 * count * lanes].view(np.float32).reshape(count, lanes)


@ISA_NAMES
@pytest.mark.parametrize("count", [0, 1, 20])
def test_every_multiply_add_is_done(name: str, count: int) -> None:
    isa, chains = available(name), limits.chains(name)
    start = np.arange(chains * isa.lanes, dtype=np.float32).reshape(chains, isa.lanes)
    x, y = np.full(isa.lanes, 2, np.float32), np.arange(isa.lanes, dtype=np.float32) - 3
    operands = np.concatenate([x, y, start.ravel()])
    done = sums(program(limits.peak(name), operands, operands.size, count, isa, 1), chains, isa.lanes)
    wanted = start
    for _ in range(count):
        wanted = wanted * x + y
    np.testing.assert_allclose(done, wanted, rtol=1e-6)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads assembly of x86-64 in AT&T syntax")
@ISA_NAMES
def test_the_loop_has_all_multiply_adds_and_no_memory(name: str) -> None:
    def count(loop: list[str], instruction: str) -> int:
        return sum(bool(re.match(instruction, line)) for line in loop)

    fused, product, addition = r"vfmadd\d+ps\s", r"v?mulps\s", r"v?addps\s"
    inner = [loop for loop in loops(native.assembly(limits.peak(name))) if count(loop, rf"{fused}|{addition}")]
    assert inner
    for loop in inner:
        assert count(loop, fused) + count(loop, product) > 0
        assert (count(loop, fused) + count(loop, product)) % limits.chains(name) == 0
        assert count(loop, product) == count(loop, addition)
        assert [line for line in loop if "(%" in line] == []


@ISA_NAMES
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_byte_is_read_once(name: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    isa, blocks = available(name), 37
    x = np.arange(blocks * limits.LINES * isa.lanes, dtype=np.float32) % 32
    y = sums(program(limits.read(name), x, x.size, blocks, isa, threads), threads, isa.lanes)
    np.testing.assert_array_equal(y.sum(0), x.reshape(-1, isa.lanes).sum(0))
