"""Operators that move elements about."""

import numpy as np
import pytest

from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import REGISTRY

X = draw(2, 3, 5, 7)
LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def ints(*values):
    return np.array(values, np.int64)


def op(kind, **fields):
    return REGISTRY[kind](**fields)


SLICES = [
    (ints(1, 2), ints(2, 6), ints(0, 3)),
    (ints(0, -6), ints(9, -1), ints(1, -1), ints(1, 2)),
    (ints(4), ints(LEAST), ints(2), ints(-1)),
    (ints(MOST), ints(-6), ints(3), ints(-2)),
    (ints(3), ints(1), ints(2)),
    (ints(1, 0, 2, 1), ints(2, 3, 4, MOST)),
]
PADS = [
    ("constant", ints(0, 1, 2, 3, 1, 0, 0, 2), np.array(1.5, np.float32)),
    ("constant", ints(0, 0, -1, 2, 0, 0, 3, -2)),
    ("reflect", ints(0, 0, 2, 3, 0, 0, 4, 1)),
    ("edge", ints(1, 0, 2, 3, 0, 2, 4, 9)),
    ("wrap", ints(0, 1, 2, 3, 0, 0, 4, 1)),
]
CASES = [
    *(Case(op("Concat", axis=axis), xs) for axis, xs in [
        (1, (X, draw(2, 1, 5, 7), draw(2, 4, 5, 7))), (-1, (X, draw(2, 3, 5, 2))), (0, (ints(1, 2), ints(), ints(3))),
        (0, (draw(3),)), (0, (draw(3, dtype="uint8", low=0), draw(2, dtype="uint8", low=0)))]),
    *(Case(op("Split", axis=axis), (X, sizes)) for axis, sizes in [(3, ints(3, 0, 4)), (-3, ints(1, 2)), (0, ints(2))]),
    *(Case(op("Split", axis=axis, num_outputs=n), (X,)) for axis, n in [(3, 2), (3, 3), (1, 3), (0, 1)]),
    *(Case(op("Slice"), (X, *limits)) for limits in SLICES),
    Case(op("Slice"), (draw(5, dtype="int64"), ints(1), ints(4))),
    *(Case(op("Pad", mode=mode), (X, *rest)) for mode, *rest in PADS),
    Case(op("Pad"), (X, ints(1, 2, 3, 4), np.array(-1, np.float32), ints(-1, 1))),
    Case(op("Pad"), (draw(4, dtype="int64"), ints(1, 2), np.array(7))),
    *(Case(op("Transpose", perm=perm), (X,)) for perm in [(), (0, 2, 3, 1), (3, 0, 2, 1)]),
    Case(op("Transpose"), (draw(),)),
    *(Case(op("Reshape"), (X, shape)) for shape in [ints(6, 35), ints(0, -1, 7), ints(-1), ints(0, 0, 1, 35)]),
    Case(op("Reshape"), (draw(1, 1), ints())),
    Case(op("Reshape", allowzero=1), (draw(0, 3), ints(3, 0))),
    *(Case(op("Flatten", axis=axis), (X,)) for axis in (0, 1, 4, -1, -4)),
    *(Case(op("Squeeze"), (draw(1, 3, 1, 5), *axes)) for axes in [(), (ints(0),), (ints(-2, 0),)]),
    *(Case(op("Unsqueeze"), (draw(3, 5), axes)) for axes in [ints(0), ints(-1, 1), ints(3, 0), ints(2, 3)]),
    Case(op("Identity"), (X,)),
    Case(op("Identity"), (draw(),)),
    *(Case(op("Dropout"), (X, *rest)) for rest in [(), (np.float32(0.3),)]),
    *(Case(op("DepthToSpace", blocksize=2, mode=mode), (draw(2, 12, 3, 5),)) for mode in ("DCR", "CRD")),
    Case(op("DepthToSpace", blocksize=3), (draw(1, 9, 2, 1),)),
    *(Case(op("SpaceToDepth", blocksize=b), (draw(2, 3, 4 * b, 5 * b),)) for b in (1, 2, 3)),
    Case(op("SpaceToDepth", blocksize=2, mode="CRD"), (draw(2, 3, 4, 6),)),
    *(Case(op("Expand"), (draw(3, 1), shape)) for shape in [ints(2, 1, 5), ints(3, 4), ints(1), ints(1, 1)]),
    *(Case(op("Tile"), (draw(2, 3), repeats)) for repeats in [ints(2, 3), ints(1, 1), ints(0, 2)]),
    *(Case(op("Gather", axis=axis), (X, indices)) for axis, indices in [
        (0, ints(1, 0, 1)), (2, ints(4, -5, -1)), (-1, np.array(3)), (1, np.array([[0, 2], [1, 1]], np.int32))]),
    Case(op("GatherElements"), (draw(3, 4), np.array([[0, 2, -1, 1], [1, -3, 0, 2]]))),
    Case(op("GatherElements", axis=-2), (draw(2, 3, 5), draw(2, 7, 5, dtype="int64", low=-3, high=3))),
    Case(op("GatherND"), (draw(3, 4, 5), np.array([[0, -1], [2, 1]]))),
    Case(op("GatherND"), (draw(3, 4, 5), np.array([[[0], [2]]]))),
    Case(op("GatherND", batch_dims=1), (draw(2, 4, 5), np.array([[[0, 1], [-1, 2]], [[1, 1], [2, -5]]]))),
    Case(op("GatherND", batch_dims=1), (draw(2, 4, 5), np.array([[1], [3]]))),
]  # fmt: skip
DOUBTS = {
    "onnx-Slice-float32[2,3,5,7]-int64[1]-int64[1]-int64[1]-int64[1]": "it slices as Python does: -1 counts again",
    "onnx-Pad-float32[2,3,5,7]-int64[8]": "it pads by what NumPy takes: nothing negative",
    "onnxruntime-SpaceToDepth-float32[2,3,4,6]-blocksize=2-mode=CRD": "it does not know the mode",
}


@against_oracles(CASES, DOUBTS)
def test_movement(case, oracle):
    check(case, oracle)


def test_slice_backwards_starts_at_the_first_element_at_least():
    """ONNX clamps the start into the axis; Python would take nothing."""
    x = np.arange(5)
    (y,) = op("Slice").reference(x, ints(-9), ints(LEAST), ints(0), ints(-1))
    assert y.tolist() == [0]


def test_what_is_cut_off_is_not_reflected():
    (y,) = op("Pad", mode="reflect").reference(np.arange(6), ints(-2, 2))
    assert y.tolist() == [2, 3, 4, 5, 4, 3]


def test_channel_shuffle_deals_the_groups_out_in_turn():
    x = np.arange(6).reshape(1, 6, 1).repeat(2, 2)
    o = op("ChannelShuffle", group=2)
    (y,) = o.reference(x)
    assert y[0, :, 1].tolist() == [0, 3, 1, 4, 2, 5]
    assert o.infer([TensorSpec.of(x)], [None]) == (TensorSpec.of(y),)


@pytest.mark.parametrize("kind", ["Reshape", "Unsqueeze", "Expand", "Tile", "Pad", "Split"])
def test_without_values_the_shape_is_unknown(kind):
    specs = [TensorSpec.f32(3, 4), TensorSpec((2,), np.dtype(np.int64))]
    assert op(kind).infer(specs, [None, None]) is None


@pytest.mark.parametrize(
    ("o", "inputs", "words"),
    [
        (op("Concat", axis=1), (draw(2, 3), draw(3, 3)), "differ beyond axis 1"),
        (op("Concat", axis=2), (draw(2, 3), draw(2, 3)), "axis 2"),
        (op("Concat"), (draw(2, 3), draw(2, 3).astype(np.float64)), "different dtypes"),
        (op("Split"), (draw(5), ints(2, 2)), "5 elements"),
        (op("Split"), (draw(5), ints(6, -1)), "5 elements"),
        (op("Split"), (draw(5),), "num_outputs"),
        (op("Split", num_outputs=5), (draw(3, 2),), "not pieces"),
        (op("Slice"), (draw(5), ints(0), ints(1), ints(0), ints(0)), "do not belong together"),
        (op("Slice"), (draw(5, 5), ints(0, 0), ints(1, 1), ints(0, -2)), "twice"),
        (op("Slice"), (draw(5), ints(0, 1), ints(1)), "axis 1"),
        (op("Pad"), (draw(5), ints(1, 2, 3)), "3 pads"),
        (op("Pad"), (draw(5), ints(-3, -3)), "cannot be padded"),
        (op("Pad", mode="edge"), (draw(0), ints(1, 1)), "cannot be padded"),
        (op("Pad", mode="zero"), (draw(5), ints(1, 1)), "mode"),
        (op("Transpose", perm=(0, 0)), (draw(2, 3),), "twice"),
        (op("Transpose", perm=(0,)), (draw(2, 3),), "no order"),
        (op("Reshape"), (draw(2, 3), ints(4, 2)), "cannot become"),
        (op("Reshape"), (draw(2, 3), ints(-1, -1)), "cannot become"),
        (op("Reshape"), (draw(2, 3), ints(-2, 3)), "cannot become"),
        (op("Reshape"), (draw(2, 3), ints(2, 3, 0)), "cannot become"),
        (op("Reshape"), (draw(0, 3), ints(0, -1)), "cannot become"),
        (op("Reshape"), (draw(2, 3), draw(2)), "list of integers"),
        (op("Flatten", axis=3), (draw(2, 3),), "no axis 3"),
        (op("Squeeze"), (draw(2, 1), ints(0)), "not all of size 1"),
        (op("Unsqueeze"), (draw(2, 1), ints(0, 0)), "twice"),
        (op("DepthToSpace", blocksize=2), (draw(1, 6, 2, 2),), "multiple"),
        (op("DepthToSpace", blocksize=1, mode="RCD"), (draw(1, 6, 2, 2),), "mode"),
        (op("SpaceToDepth", blocksize=2), (draw(1, 6, 3, 2),), "multiples"),
        (op("ChannelShuffle", group=4), (draw(1, 6, 3),), "4 groups"),
        (op("Dropout"), (draw(2, 3), np.float32(0.5), np.array(True)), "1 to 2 inputs, not 3"),
        (op("Expand"), (draw(2, 3), ints(4, 3)), "broadcast"),
        (op("Expand"), (draw(1, 3), ints(-1, 3)), "negative"),
        (op("Tile"), (draw(2, 3), ints(4)), "repeats"),
        (op("Gather"), (draw(2, 3), ints(2)), "outside an axis of 2"),
        (op("Gather"), (draw(2, 3), draw(2)), "integers"),
        (op("GatherElements"), (draw(2, 3), ints(0, 0, 0)), "do not fit"),
        (op("GatherElements"), (draw(2, 3), np.array([[0, 0, 1 << 62]])), "outside an axis of 2"),
        (op("GatherElements"), (draw(2, 3), draw(2, 3)), "integers"),
        (op("GatherND"), (draw(2, 3), ints(0, 0, 0)), "do not fit"),
    ],
)
def test_what_does_not_fit_is_named(o, inputs, words):
    with pytest.raises(ShapeError, match=words):
        o.infer([TensorSpec.of(x) for x in inputs], inputs)


@pytest.mark.parametrize("index", [-3, 2])
def test_an_index_that_does_not_exist_is_refused_when_it_is_known_at_last(index):
    with pytest.raises(ShapeError, match="outside"):
        op("Gather").reference(draw(2, 3), ints(index))
    with pytest.raises(ShapeError, match="outside"):
        op("GatherND").reference(draw(2, 3), ints(index))
