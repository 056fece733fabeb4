"""Every way in which the kernels can compute an operator."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pytest

from tests.kernels.cpu.harness import choices, execute, request
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.lowering import Choice
from tinycnn.ops import Op

THREADS = 3


def available(name: str) -> isa.Isa:
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    return isa.ISAS[name]


def outputs(
    op: Op, arrays: Sequence[np.ndarray | None], name: str, constants: Iterable[int] = ()
) -> Iterator[tuple[Choice, np.ndarray]]:
    """The output of every choice offered: the same for any number of threads, and in place where that is allowed."""
    r = request(op, arrays, constants, "plain", available(name), THREADS)
    for choice in choices(r):
        [y] = execute(r, choice, arrays)
        for threads in range(1, THREADS + 1):
            [again] = execute(r, choice, arrays, threads, in_place=threads > 1)
            np.testing.assert_array_equal(again, y)
        yield choice, y


def sample(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape, np.float32)
