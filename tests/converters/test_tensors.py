"""Tensors of every element type, as raw data and in typed fields, against the onnx package."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tinycnn.converters.onnx import tensors
from tinycnn.errors import ModelFormatError

ELEMENTS = sorted(set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED})
NAMES = [TensorProto.DataType.Name(element) for element in ELEMENTS]
SHAPES = [(), (0,), (7,), (2, 3, 5)]


def values(element: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of a type, special ones among them, in the dtype that the onnx package has for it."""
    rng = np.random.default_rng(3)
    if element == TensorProto.STRING:
        return np.array([f"é{i}" for i in range(int(np.prod(shape)))], object).reshape(shape)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(element))
    codes = rng.integers(0, 256, (*shape, dtype.itemsize), np.uint8)
    if element == TensorProto.BOOL:
        codes %= 2
    bits = tensors.NARROW_BITS.get(TensorProto.DataType.Name(element), 8)
    if bits < 8 and "INT" in TensorProto.DataType.Name(element):
        return rng.integers(0, 1 << bits, shape).astype(np.int8).astype(dtype)
    codes &= np.uint8((1 << min(bits, 8)) - 1)
    return np.ascontiguousarray(codes).view(dtype).reshape(shape)


def expected(array: np.ndarray, element: int) -> np.ndarray:
    dtype = tensors.stored_dtype(element)
    assert dtype is not None
    return array.astype(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("element", ELEMENTS, ids=NAMES)
def test_raw_data(element: int, shape: tuple[int, ...]) -> None:
    array = values(element, shape)
    tensor = numpy_helper.from_array(array, "t")
    got = tensors.to_array(tensor)
    assert got.shape == shape
    assert not got.flags.writeable
    np.testing.assert_array_equal(got, expected(array, element))


@pytest.mark.parametrize("element", ELEMENTS, ids=NAMES)
def test_typed_field(element: int) -> None:
    array = values(element, (3, 5))
    if (array.dtype.kind == "f" and array.dtype.itemsize < 4) or element == TensorProto.BFLOAT16:
        array = np.nan_to_num(array.astype(np.float32), posinf=1, neginf=1).astype(array.dtype)
    tensor = helper.make_tensor("t", element, array.shape, array.reshape(-1))
    assert not tensor.raw_data
    np.testing.assert_array_equal(tensors.to_array(tensor), expected(array, element))


@pytest.mark.parametrize("name", tensors.MINIFLOATS)
def test_every_code_of_small_floats(name: str) -> None:
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(name)))
    table = tensors.MINIFLOATS[name].table()
    codes = np.arange(len(table), dtype=np.uint8)
    np.testing.assert_array_equal(table, codes.view(dtype).astype(np.float32))


@pytest.mark.parametrize("element", [e for e in ELEMENTS if e in tensors.DTYPES], ids=str)
def test_there_and_back(element: int) -> None:
    array = values(element, (2, 3))
    tensor = tensors.to_tensor(array, "t")
    onnx.checker.check_tensor(tensor)
    assert tensor.data_type == element
    np.testing.assert_array_equal(tensors.to_array(tensor), array)


def test_arrays_that_are_not_contiguous() -> None:
    array = np.arange(12, dtype=">i4").reshape(3, 4).T
    np.testing.assert_array_equal(tensors.to_array(tensors.to_tensor(array.astype(np.int32), "t")), array)


@pytest.mark.parametrize("field", ["float_data", "int32_data"])
def test_field_with_too_few_elements(field: str) -> None:
    element = TensorProto.FLOAT if field == "float_data" else TensorProto.INT8
    tensor = TensorProto(name="t", data_type=element, dims=[3])
    getattr(tensor, field).extend([1, 2])
    with pytest.raises(ModelFormatError, match="'t' of shape .3. needs 3 elements, it has 2"):
        tensors.to_array(tensor)


def test_a_dtype_that_onnx_has_not() -> None:
    with pytest.raises(ModelFormatError, match="'t' is"):
        tensors.to_tensor(np.zeros(2, np.dtype("M8[s]")), "t")
