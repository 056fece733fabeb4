"""Resize, in all its modes."""

from itertools import product

import numpy as np
import pytest

from tests.numerics import EXACT, ROUNDING
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.resize import COORDINATES, NEAREST, Resize

X = draw(2, 3, 5, 4)
NEWEST = [name for name in COORDINATES if name not in ("tf_half_pixel_for_nn", "tf_crop_and_resize")]


def scales(*values):
    return np.array(values, np.float32)


def case(inputs, **fields):
    exact = fields.get("mode", "nearest") == "nearest"
    return Case(Resize(**fields), inputs, EXACT if exact else ROUNDING(64), None if exact else "peak")


UP, DOWN = (X, None, scales(1, 1, 2, 3)), (draw(2, 3, 10, 8), None, scales(1, 1, 0.6, 0.5))
SIZED = (X, None, None, np.array([2, 3, 7, 3]))
ROI = scales(0, 0, 0.25, -0.2, 1, 1, 0.75, 1.3)
CASES = [
    *(case(x, coordinate_transformation_mode=c, nearest_mode=n)
      for x, c, n in product((UP, DOWN, SIZED), NEWEST, NEAREST)),
    *(case(x, coordinate_transformation_mode=c, mode=m)
      for x, c, m in product((UP, DOWN, SIZED), NEWEST, ("linear", "cubic"))),
    *(case(x, mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1) for x in (UP, DOWN, SIZED)),
    *(case((X, ROI, *target), coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=9.0, mode=m)
      for m in ("nearest", "linear") for target in [(scales(1, 1, 2, 3),), (None, np.array([2, 3, 7, 6]))]),
    case((X, None, scales(2.3, 0.7)), axes=(2, 3)),
    case((X, None, scales(2.3, 1.7)), axes=(-1, -2), mode="linear"),
    case((X, None, None, np.array([12, 9])), axes=(2, 3), keep_aspect_ratio_policy="not_larger", mode="linear"),
    case((X, None, None, np.array([12, 9])), axes=(2, 3), keep_aspect_ratio_policy="not_smaller", mode="linear"),
    case((X, None, scales(2, 2, 2, 2)), mode="nearest"),
    case((draw(2, 3, 7), None, scales(1, 1, 2.5)), mode="linear"),
    case((draw(1, 2, 3, 4, 5), None, scales(1, 1, 2, 2, 1.5)), mode="linear"),
    case((draw(1, 1, 1, 1), None, scales(1, 1, 3, 2)), mode="linear"),
    case((draw(1, 1, 5, 5), None, None, np.array([1, 1, 1, 1])), mode="linear",
         coordinate_transformation_mode="pytorch_half_pixel"),
    case((draw(1, 2, 4, 3, dtype="uint8", low=0, high=255), None, scales(1, 1, 2, 2))),
]  # fmt: skip
DOWNSCALED = "Resize-float32[2,3,10,8]---float32[4]"
FLOAT64 = "its positions are in float64, and fall on the other side of a whole number"
DOUBTS = {
    f"onnx-{DOWNSCALED}-nearest_mode=floor": FLOAT64,
    **{
        f"onnx-{DOWNSCALED}-coordinate_transformation_mode={c}-nearest_mode=floor": FLOAT64
        for c in ("pytorch_half_pixel", "align_corners", "asymmetric")
    },
    f"onnx-{DOWNSCALED}-coordinate_transformation_mode=half_pixel_symmetric-nearest_mode=ceil": FLOAT64,
    f"onnxruntime-{DOWNSCALED}-coordinate_transformation_mode=half_pixel_symmetric-nearest_mode=floor": FLOAT64,
    "onnx-Resize-float32[2,3,5,4]---float32[2]-mode=linear-axes=(-1,-2)": "it does not know negative axes",
}


@against_oracles(CASES, DOUBTS)
def test_resize(case, oracle):
    check(case, oracle)


def test_ends_align_with_sizes_that_are_not_whole():
    """[1, 2, 3, 4] at 0.8: 3.2 elements, of which the third is at 2 * 3 / 2.2."""
    op = Resize(mode="linear", coordinate_transformation_mode="align_corners")
    (y,) = op.reference(np.array([1, 2, 3, 4], np.float32), None, scales(0.8))
    np.testing.assert_allclose(y, [1, 1 + 3 / 2.2, 1 + 6 / 2.2], rtol=1e-6)


def test_nearest_of_the_eleventh_opset():
    (y,) = Resize(coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor", axes=(0,)).reference(
        np.arange(3), None, None, np.array([6])
    )
    assert y.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("op", "inputs", "words"),
    [
        (Resize(mode="area"), UP, "mode"),
        (Resize(nearest_mode="round"), UP, "nearest_mode"),
        (Resize(coordinate_transformation_mode="half"), UP, "coordinate_transformation_mode"),
        (Resize(keep_aspect_ratio_policy="fit"), SIZED, "keep_aspect_ratio_policy"),
        (Resize(antialias=1, mode="linear"), DOWN, "antialias"),
        (Resize(), (X,), "either scales or sizes"),
        (Resize(), (X, None, scales(1, 1, 2, 2), np.array([2, 3, 7, 3])), "either scales or sizes"),
        (Resize(), (X, None, scales(2, 2)), "4 of them"),
        (Resize(), (X, None, scales(1, 1, 0, 2)), "positive"),
        (Resize(), (X, None, scales(1, 1, np.nan, 2)), "positive"),
        (Resize(axes=(2, 2)), (X, None, scales(2, 2)), "twice"),
        (Resize(), (X, None, None, np.array([2, 3, -1, 3])), "cannot become"),
        (Resize(), (draw(1, 0, 2, 2), None, None, np.array([1, 3, 2, 2])), "cannot become"),
        (Resize(coordinate_transformation_mode="tf_crop_and_resize"), UP, "roi of 8"),
        (Resize(mode="linear"), (X.astype(np.uint8), None, scales(1, 1, 2, 2)), "uint8"),
    ],
)
def test_what_does_not_fit_is_named(op, inputs, words):
    with pytest.raises(ShapeError, match=words):
        op.infer([None if x is None else TensorSpec.of(x) for x in inputs], inputs)
