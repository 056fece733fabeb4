"""The numbers by which ONNX attributes name dtypes (TensorProto.DataType)."""

import numpy as np

from tinycnn.errors import ShapeError

DTYPES = {
    number: np.dtype(name)
    for number, name in {
        1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
        10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
    }.items()
}  # fmt: skip


def numbered_dtype(kind: str, attribute: str, number: int) -> np.dtype:
    """The dtype. Raises ShapeError for one that NumPy does not have (strings, bfloat16, 8 and 4 bit floats ...)."""
    if number not in DTYPES:
        raise ShapeError(f"{kind}: {attribute} is ONNX data type {number}, which is not supported")
    return DTYPES[number]
