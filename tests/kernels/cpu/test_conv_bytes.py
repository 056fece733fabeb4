"""Convolutions of integers against their reference: every tile and layout, and the scaling store of depthwise ones."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.cases.conv import DENSE, DEPTHWISE, ConvCase
from tests.kernels.cpu.harness import choices, execute, execute_alike, request
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY
from tinycnn.ops.activation import Activation
from tinycnn.ops.op import Op

CASES = [case for case in (*DENSE, *DEPTHWISE) if not case.residual]
# Several chunks of tiles, of rows and of pixels, strides that leave taps and phases out, and dilated phases.
WIDE = [
    ConvCase((1, 70, 61, 67), (50, 70, 1, 1)),
    ConvCase((2, 130, 40, 39), (20, 130, 3, 3), pads=(1, 1, 1, 1)),
    ConvCase((1, 3, 40, 71), (18, 3, 3, 2), strides=(2, 3), pads=(2, 4, 1, 3), dilations=(3, 2)),
    ConvCase((1, 21, 20, 23), (33, 21, 1, 1), strides=(3, 2)),
    ConvCase((1, 20, 9, 40), (16, 20, 2, 3), strides=(1, 4), dilations=(1, 3)),
]


@dataclass(frozen=True)
class Quantisation:
    """What an IntegerConv has beyond a Conv."""

    low: int
    activation: Activation
    scale: float = 1.0
    per_channel: bool = True

    def op(self, case: ConvCase) -> Op:
        fields = (case.strides, case.pads, case.dilations, case.group)
        return REGISTRY["IntegerConv"](*fields, activation=self.activation, low=self.low, scale=self.scale)

    def arrays(self, case: ConvCase, seed: int = 0) -> list[np.ndarray | None]:
        rng = np.random.default_rng(seed)
        x, w, b = (
            rng.integers(low, low + 256, s) for low, s in ((self.low, case.x), (-128, case.w), (-999, case.w[0]))
        )
        factor = rng.uniform(0.5, 1.5, (case.w[0], *[1] * (len(case.w) - 2)) if self.per_channel else ())
        factor /= 100 * np.sqrt(np.prod(case.w[1:]))
        floats = [a.astype(np.float32) for a in (x, w, b, factor)]
        return [*floats[:2], floats[2] if case.bias else None, floats[3]]


SIGNED = Quantisation(-128, Activation("quantize", -128, 127))
QUANTISATIONS = [
    SIGNED,
    Quantisation(0, Activation("quantize", 0, 255), 0.0371),
    Quantisation(-100, Activation("quantize", -3, 252), 2.0, per_channel=False),
]


def offers(case: ConvCase, q: Quantisation, arrays: list[np.ndarray | None], target: isa.Isa | None = None):
    if target is None and not isa.ISAS["avx512"].multiplies_bytes:
        pytest.skip("this processor does not multiply bytes")
    r = request(q.op(case), arrays, [1, 2, 3], "blocked", target or isa.ISAS["avx512"], 3)
    return r, choices(r)


@pytest.mark.parametrize("q", QUANTISATIONS, ids=["signed", "unsigned", "scaled"])
@pytest.mark.parametrize("case", [*CASES, *WIDE], ids=str)
def test_is_exact_with_any_number_of_threads(case: ConvCase, q: Quantisation) -> None:
    arrays = q.arrays(case)
    reference = q.op(case).reference(*arrays)[0]
    r, offered = offers(case, q, arrays)
    assert (
        {"depthwise"} <= {c.algorithm for c in offered}
        if case.group > 1
        else {"bytes"} <= {c.algorithm for c in offered}
    )
    assert len({c.name for c in offered}) == len(offered)
    for choice in offered:
        np.testing.assert_array_equal(execute_alike(r, choice, arrays)[0], reference)


def test_sums_beyond_the_integers_of_f32_are_exact() -> None:
    """Each sum is of 1,200 of the greatest products, all but one; to float32 it is rounded but once."""
    case = ConvCase((1, 1201, 2, 3), (17, 1201, 1, 1), bias=False)
    x, w = np.full(case.x, 255, np.float32), np.full(case.w, 127, np.float32)
    w[:, 600] = np.arange(17).reshape(17, 1, 1)
    q = Quantisation(0, Activation("quantize", 0, 2**30))
    arrays = [x, w, None, np.float32(1)]
    exact = (255 * (127 * 1200 + np.arange(17))).astype(np.float32)
    r, offered = offers(case, q, arrays)
    for choice in offered:
        [y] = execute(r, choice, arrays)
        np.testing.assert_array_equal(y, np.broadcast_to(exact.reshape(1, 17, 1, 1), y.shape))


def test_a_bias_that_only_a_factor_of_nothing_excuses() -> None:
    case = ConvCase((1, 19, 4, 5), (20, 19, 1, 1))
    arrays = SIGNED.arrays(case)
    _, _, bias, factor = arrays
    assert bias is not None and factor is not None
    bias[[3, 17]], factor[[3, 17]] = (2**31, -(2**31)), 1e-12
    r, offered = offers(case, SIGNED, arrays)
    for choice in offered:
        np.testing.assert_array_equal(execute(r, choice, arrays)[0], SIGNED.op(case).reference(*arrays)[0])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_what_is_no_integer_spoils_no_other_channel_and_pixel(value: float) -> None:
    case = ConvCase((1, 5, 9, 20), (5, 5, 3, 3), pads=(1, 1, 1, 1))
    arrays = SIGNED.arrays(case)
    reference = SIGNED.op(case).reference(*arrays)[0]
    x = arrays[0]
    assert x is not None
    x[0, 3, 8, 19] = value
    r, offered = offers(case, SIGNED, arrays)
    for choice in offered:
        [y] = execute(r, choice, arrays)
        np.testing.assert_array_equal(y[:, :, :7], reference[:, :, :7])
        np.testing.assert_array_equal(y[:, :, :, :18], reference[:, :, :, :18])


def test_no_number_counts_as_zero() -> None:
    case = ConvCase((1, 19, 6, 7), (20, 19, 3, 3), pads=(1, 1, 1, 1))
    arrays = SIGNED.arrays(case)
    x = arrays[0]
    assert x is not None
    x[0, 3, 2] = 0
    reference = SIGNED.op(case).reference(*arrays)[0]
    x[0, 3, 2] = np.nan
    r, offered = offers(case, SIGNED, arrays)
    for choice in offered:
        np.testing.assert_array_equal(execute(r, choice, arrays)[0], reference)


@pytest.mark.parametrize("case", [CASES[1], DEPTHWISE[1]], ids=str)
def test_needs_a_factor_that_is_known(case: ConvCase) -> None:
    r = request(SIGNED.op(case), SIGNED.arrays(case), [1, 2], "blocked", isa.ISAS["avx512"], 1)
    assert choices(r) == []


@pytest.mark.parametrize(
    "target",
    [isa.ISAS["avx2"], isa.ISAS["portable"], replace(isa.ISAS["avx512"], dot=frozenset())],
    ids=["avx2", "portable", "avx512 alone"],
)
@pytest.mark.parametrize("case", [CASES[1], DEPTHWISE[1]], ids=str)
def test_needs_a_processor_that_multiplies_bytes(case: ConvCase, target: isa.Isa) -> None:
    assert offers(case, SIGNED, SIGNED.arrays(case), target)[1] == []
