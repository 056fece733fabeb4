"""Multiply-adds that each algorithm does, by hand for AVX2: 8 lanes, register tiles of 6 rows x 2 vectors."""

import itertools

import numpy as np
import pytest

from tests.kernels.cpu.harness import choices, request
from tests.planner.programs import classifier, program
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv_direct, conv_grouped, conv_winograd, expanded_plan, isa
from tinycnn.kernels.lowering import Choice
from tinycnn.ops import REGISTRY

AVX2 = isa.ISAS["avx2"]
# 20 channels to 40 on 11 x 13 pixels: 40 are 5 vectors, in groups of two 48 channels; 13 pixels of a row are 3 tiles.
PROBLEM = ConvProblem(2, 20, 11, 13, 40, 11, 13, 3, 3, pt=1, pl=1, pb=1, pr=1)
TAPS = 20 * 3 * 3


def offered(kind: str, *shapes: tuple[int, ...], **attributes: object) -> list[Choice]:
    arrays = [np.zeros(shape, np.float32) for shape in shapes]
    return choices(request(REGISTRY[kind](**attributes), arrays, range(1, len(shapes)), "blocked", AVX2, 1))


def test_direct() -> None:
    for blocked in (True, False):
        plan = conv_direct.Plan(PROBLEM, AVX2.lanes, 6, 2, blocked, 1)
        assert plan.macs == 2 * 11 * (3 * 6) * TAPS * 48


def test_direct_of_groups_multiplies_the_zeros_between_them() -> None:
    """Each vector of 8 outputs, of two groups of 4, reads the block of 8 inputs that both lie in."""
    grouped = ConvProblem(1, 16, 11, 13, 16, 11, 13, 3, 3, pt=1, pl=1, pb=1, pr=1, g=4)
    plan = conv_direct.Plan(grouped, AVX2.lanes, 12, 1, True, 1)
    assert plan.macs == 11 * (2 * 12) * (8 * 9) * 16


def test_direct_multiplies_in_half_vectors_what_half_a_strip_reads() -> None:
    """Of 9 vectors of 16 outputs three begin in a group of 34 whose end they hold in their lower half, and the last has
    no upper half. 49 pixels are 4 tiles."""
    grouped = ConvProblem(1, 136, 7, 7, 136, 7, 7, 1, 1, g=4)
    plan = conv_direct.Plan(grouped, 16, 14, 1, True, 1, halved=True)
    assert plan.macs == 4 * 14 * 34 * (5 * 16 + 3 * (16 + 8) + 8)
    assert conv_direct.Plan(grouped, 16, 14, 1, True, 1).macs == 4 * 14 * 34 * (6 + 3 * 2) * 16


@pytest.mark.parametrize(("m", "block", "row_tiles"), [(2, 42, 7), (4, 12, 2), (4, 9, 3), (6, 6, 1), (6, 4, 2)])
def test_winograd_counts_its_products(m: int, block: int, row_tiles: int) -> None:
    """Tiles of F(2), F(4) and F(6): 6 x 7, 3 x 4 and 2 x 3, in blocks, each in register tiles of 6."""
    plan = conv_winograd.Plan(PROBLEM, "avx2", m, 6, 2, block, 1)
    assert plan.macs == 2 * (m + 2) ** 2 * (6 * row_tiles) * 20 * 48


def test_im2col() -> None:
    [blocked, plain] = [
        c for c in offered("Conv", (2, 20, 11, 13), (40, 20, 3, 3), pads=(1,) * 4) if c.algorithm == "im2col"
    ]
    assert blocked.macs == plain.macs == 2 * 144 * TAPS * 48  # 143 pixels are 24 tiles


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(("stride", "dilation", "pad"), [*itertools.product((1, 2, 3), (1, 2), (0, 1, 4))])
def test_small_groups_leave_out_kernel_rows_outside(stride: int, dilation: int, pad: int, channels: int) -> None:
    oh, ow = ((size + 2 * pad - 2 * dilation - 1) // stride + 1 for size in (11, 13))
    p = ConvProblem(
        2, 20, 11, 13, 20, oh, ow, 3, 3, stride, stride, dilation, dilation, pad, pad, pad, pad, 20 // channels
    )  # fmt: skip
    lines = (y * stride - pad + ky * dilation for y in range(oh) for ky in range(3))
    kernel_rows = sum(0 <= line < 11 for line in lines)
    assert conv_grouped.macs(p, 7, 8) == 2 * 24 * kernel_rows * 3 * channels * -(-ow // 7) * 7


@pytest.mark.parametrize(("strip", "pixels"), [(6, [143]), (2, [52, 65, 52]), (1, [26, 39, 39, 39, 39, 26])])
def test_rows_that_strips_share_are_expanded_for_each(strip: int, pixels: list[int]) -> None:
    """A 3x3 window, padded, of stride 2 over 11 rows of 13 pixels: windows of neighbouring rows share a row."""
    p = ConvProblem(2, 20, 11, 13, 20, 6, 7, 3, 3, 2, 2, pt=1, pl=1, pb=1, pr=1, g=20)
    plan = expanded_plan.Plan(p, 5, "avx2", 1, (7, 3, 2, 1))
    plan.__dict__["strip"] = strip
    assert list(plan.pixels()) == pixels
    assert plan.expansion_macs == 2 * sum(-(-n // 12) * 12 for n in pixels) * 5 * 24


def test_transposed_convolution_adds_up_its_phases() -> None:
    """Stride 2 of a 3x3 kernel: phases of 2 x 2, 2 x 1, 1 x 2 and 1 x 1 taps on 6 x 7 to 5 x 6 outputs."""
    [choice, _] = offered("ConvTranspose", (1, 20, 6, 7), (20, 40, 3, 3), strides=(2, 2), pads=(1, 1, 1, 1))
    # Rows: phase 0 sees 1 tap for 6 outputs, phase 1 sees 2 for 5; columns: 1 for 7, 2 for 6.
    pixels_taps = ((42, 1), (36, 2), (35, 2), (30, 4))
    assert choice.macs == sum(-(-pixels // 6) * 6 * 20 * taps * 48 for pixels, taps in pixels_taps)


def test_matrix_product_counts_tiles_and_single_rows() -> None:
    """13 rows: two tiles of 6 and one row alone; 20 columns are two panels of 16."""
    [choice] = offered("Gemm", (13, 7), (7, 20))
    assert choice.macs == 7 * (12 * 32 + 1 * 32)


def test_steps_tell_what_their_choice_does_and_else_what_is_defined() -> None:
    steps = {step.operator: step for step in program(classifier()).steps}
    assert steps["Gemm"].macs == 2 * 5 * 7 and steps["Gemm"].executed_macs > steps["Gemm"].macs
    assert steps["Softmax"].macs == steps["Softmax"].executed_macs == 0
