"""In what dtype values are computed."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from tinycnn.ir import computed

WIDER = {"float16": "float32", "int4": "int8", "int2": "int8", "uint4": "uint8", "uint2": "uint8"}
ELEMENTS = [element for element in TensorProto.DataType.values() if element]


@pytest.mark.parametrize("element", ELEMENTS, ids=TensorProto.DataType.Name)
def test_only_narrow_dtypes_are_widened(element: int) -> None:
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(element))
    narrow = dtype.name.startswith(("bfloat", "float8_", "float6_", "float4_"))
    expected = np.dtype(np.float32) if narrow else np.dtype(WIDER.get(dtype.name, dtype))
    assert computed(dtype) == expected
