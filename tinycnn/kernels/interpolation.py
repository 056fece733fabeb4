"""Where a Resize looks along each axis of an image, and what it mixes: worked out beforehand, as tables of its rows."""

import numpy as np

from tinycnn.kernels.lowering import Request, can_block

MODES = ("nearest", "linear")


def two_taps(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 and f32 [out, 2]: the two columns of [out, size] that matter in each row, and their weights."""
    first = (matrix != 0).argmax(1)
    second = np.minimum(first + 1, matrix.shape[1] - 1)
    index, rows = np.stack([first, second], 1), np.arange(len(matrix))
    weights = np.stack([matrix[rows, first], np.where(second > first, matrix[rows, second], 0)], 1)
    return index.astype(np.int64), weights.astype(np.float32)


def tables(r: Request) -> dict[str, np.ndarray] | None:
    """What a Resize of images f32 [n, c, h, w] or [n, c, w] looks up, None where it is another, or channels change.

    nearest  int64 rows [oh] and cols [ow]: the input elements that the outputs are
    linear   int64 rows [oh, 2] and cols [ow, 2]: those that they mix, by f32 weights row_weights and col_weights
    """
    op, x, y = r.op, r.inputs[0], r.outputs[0]
    if x is None or not can_block(x) or 0 in x.dims or 0 in y.dims:
        return None
    if op.mode not in MODES or op.coordinate_transformation_mode == "tf_crop_and_resize":
        return None
    if any(s is not None and s.size and v is None for s, v in zip(r.inputs[1:], r.values[1:], strict=True)):
        return None
    n, c, *spatial = op.plan(x.dims, *op.optional(r.values))
    if any((axis.size, axis.scale) != (axis.out, 1.0) for axis in (n, c)):
        return None
    result: dict[str, np.ndarray] = {"rows": np.zeros(1, np.int64)}
    if op.mode == "nearest":
        return result | {
            name: op.nearest(axis) for name, axis in zip(("rows", "cols")[-len(spatial) :], spatial, strict=True)
        }
    result = {"rows": np.zeros((1, 2), np.int64), "row_weights": np.array([[1, 0]], np.float32)}
    for name, axis in zip(("row", "col")[-len(spatial) :], spatial, strict=True):
        result[f"{name}s"], result[f"{name}_weights"] = two_taps(op.matrix(axis))
    return result
