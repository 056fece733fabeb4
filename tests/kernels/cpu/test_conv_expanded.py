"""A 1x1 convolution and the depthwise one that follows, against their reference."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.kernels.cpu.every import THREADS, available
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import cost, isa
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.ops.expanded_conv import ExpandedConv

RELU, SWISH = Activation("clamp", 0.0, np.inf), Activation("swish")


@dataclass(frozen=True)
class Case:
    """x [n, ci, *spatial] to c channels, and a window over them."""

    x: tuple[int, ...]
    c: int
    kernel: tuple[int, ...]
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    biases: bool = True
    first: Activation | None = RELU
    second: Activation | None = None

    @property
    def op(self) -> ExpandedConv:
        return ExpandedConv(
            Conv(activation=self.first), Conv(self.strides, self.pads, self.dilations, self.c, activation=self.second)
        )

    def arrays(self) -> list[np.ndarray | None]:
        rng = np.random.default_rng(self.c)
        shapes = (self.x, (self.c, self.x[1], *[1] * len(self.kernel)), (self.c, 1, *self.kernel), (self.c,), (self.c,))
        x, we, w, be, b = (rng.standard_normal(shape, np.float32) for shape in shapes)
        return [x, we, w, be, b] if self.biases else [x, we, w, None, None]


CASES = [
    Case((1, 16, 23, 30), 40, (3, 3), (2, 2), (1, 1, 1, 1), first=Activation("clamp", 0.0, 6.0), second=RELU),
    Case((2, 5, 14, 9), 17, (3, 3), pads=(1, 1, 1, 1)),
    Case((1, 37, 30, 31), 33, (5, 5), (2, 2), (2, 2, 2, 2), first=SWISH, second=SWISH),
    Case((1, 3, 19, 45), 20, (7, 7), pads=(3, 3, 3, 3), biases=False, first=None),
    Case((2, 20, 17, 12), 16, (3, 2), (3, 1), (0, 2, 4, 1), (2, 3), second=SWISH),
    Case((1, 9, 11, 10), 8, (3, 3), (1, 3), (5, 0, 7, 1)),
    Case((1, 6, 3, 5), 10, (1, 1), (2, 2)),
    Case((1, 6, 1, 1), 3, (5, 5), (4, 4), (2, 2, 2, 2)),
    Case((3, 18, 29), 21, (3,), (2,), (1, 1)),
    Case((1, 7, 6, 6), 9, (3, 3), pads=(9, 0, 9, 0)),
]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("l2_bytes", [0, 1 << 14, 1 << 19], ids=["row by row", "strips", "at once"])
def test_matches_the_reference_with_any_number_of_threads(
    l2_bytes: int, case: Case, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "caches", lambda: replace(cost.XEON_CACHES, l2_bytes=l2_bytes))
    arrays, target = case.arrays(), available(name)
    r = request(case.op, arrays, [1, 2, 3, 4], "blocked", target, THREADS)
    [reference] = case.op.reference(*arrays)
    plain = replace(case, first=None, second=None).op
    [magnitude] = plain.reference(*(None if a is None else np.abs(a) for a in arrays))
    offered = choices(r)
    assert {c.algorithm for c in offered} == {"expanded"} and len({c.name for c in offered}) == len(offered)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDING(8), magnitude)


@pytest.mark.parametrize("index", [1, 2, 4])
def test_weights_must_be_known(index: int) -> None:
    known = {1, 2, 3, 4} - {index}
    assert not choices(request(CASES[0].op, CASES[0].arrays(), known, "blocked", isa.ISAS["portable"], 1))


def test_what_is_not_finite_stays_where_it_is_read() -> None:
    case = Case((1, 5, 20, 20), 20, (3, 3), pads=(1, 1, 1, 1))
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2, 3, 4], "blocked", isa.current(), 1)
    arrays[0][0, 2, 10, 10] = np.nan  # type: ignore[index]
    for choice in choices(r):
        [y] = execute_alike(r, choice, arrays)
        hurt = np.zeros((20, 20), bool)
        hurt[9:12, 9:12] = True
        assert np.isnan(y[..., hurt]).all() and np.isfinite(y[..., ~hurt]).all()
