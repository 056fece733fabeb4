"""Convolution in small groups against its reference, for every instruction set and number of threads."""

import numpy as np
import pytest

from tests.cases.conv import ALL, ConvCase
from tests.kernels.cpu.harness import choices, execute, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa

# Sums of as many products as direct convolution adds up are as exact as there.
ROUNDINGS = {"depthwise": ROUNDING(4), "grouped": ROUNDING(8)}


def applies(case: ConvCase, name: str) -> bool:
    co, channels = case.w[:2]
    return case.group > 1 and case.x[1] == co and isa.ISAS[name].lanes % channels == 0


def offers(case: ConvCase, name: str, arrays=None):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    r = request(case.op, arrays or case.arrays(), [1, 2], "blocked", isa.ISAS[name], 3)
    return r, [c for c in choices(r) if c.algorithm in ("depthwise", "grouped")]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [c for c in ALL if applies(c, "avx512")], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    arrays = case.arrays()
    r, offered = offers(case, name, arrays)
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDINGS[choice.algorithm], magnitude)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [c for c in ALL if c.w[0] > 1], ids=str)
def test_applies_where_whole_groups_make_a_vector(case, name):
    algorithm = "depthwise" if case.w[1] == 1 else "grouped"
    assert {c.algorithm for c in offers(case, name)[1]} == ({algorithm} if applies(case, name) else set())


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("channels", [1, 2, 4, 8, 16])
def test_what_is_not_finite_stays_in_its_group(channels, value, name):
    group = -(-37 // channels)
    case = ConvCase((1, group * channels, 5, 18), (group * channels, channels, 3, 3), pads=(1, 1, 1, 1), group=group)
    arrays, hurt = case.arrays(), np.arange(channels, 2 * channels)
    reference, magnitude = (np.delete(y, hurt, 1) for y in (case.op.reference(*arrays)[0], case.magnitude(arrays)))
    arrays[0][:, hurt[-1]] = value
    r, offered = offers(case, name, arrays)
    assert bool(offered) == (channels <= r.target.lanes)
    for choice in offered:
        [y] = execute(r, choice, arrays)
        assert not np.isfinite(y[:, hurt]).any()
        assert_close(np.delete(y, hurt, 1), reference, ROUNDINGS[choice.algorithm], magnitude)


@pytest.mark.parametrize(("width", "rows"), [(7, 7), (14, 14)])
def test_the_model_prefers_tiles_no_wider_than_the_map(width, rows):
    case = ConvCase((1, 576, width, width), (576, 1, 3, 3), pads=(1, 1, 1, 1), group=576)
    _, offered = offers(case, "avx512")
    assert min(offered, key=lambda choice: choice.time_s).variant == f"{rows}x1"
