"""Tensors of ONNX files as NumPy arrays, and back."""

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from tinycnn import knobs
from tinycnn.converters.onnx import external
from tinycnn.errors import LimitError, ModelFormatError

# Element types that NumPy has.
DTYPES: dict[int, np.dtype] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.INT8: np.dtype(np.int8),
    TensorProto.INT16: np.dtype(np.int16),
    TensorProto.INT32: np.dtype(np.int32),
    TensorProto.INT64: np.dtype(np.int64),
    TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.UINT16: np.dtype(np.uint16),
    TensorProto.UINT32: np.dtype(np.uint32),
    TensorProto.UINT64: np.dtype(np.uint64),
    TensorProto.BOOL: np.dtype(np.bool_),
    TensorProto.STRING: np.dtype(object),
    TensorProto.COMPLEX64: np.dtype(np.complex64),
    TensorProto.COMPLEX128: np.dtype(np.complex128),
}
ELEMENT_TYPES = {dtype: element for element, dtype in DTYPES.items()}
# The field of TensorProto that holds elements of a type when raw_data does not.
FIELDS: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.COMPLEX64: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.COMPLEX128: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.STRING: "string_data",
}


@dataclass(frozen=True)
class Minifloat:
    """A floating-point format of at most 8 bits, as ONNX defines it.

    specials  "ieee": the greatest exponent is infinity and NaN; "fn": only all ones is NaN; "fnuz": only negative
              zero is NaN; "": every code is a number
    """

    exponent: int
    mantissa: int
    bias: int
    specials: str
    signed: bool = True

    def table(self) -> np.ndarray:
        """f32 value of every code."""
        bits = self.signed + self.exponent + self.mantissa
        code = np.arange(1 << bits)
        m = code & ((1 << self.mantissa) - 1)
        e = (code >> self.mantissa) & ((1 << self.exponent) - 1)
        sign = np.where(self.signed & (code >> (bits - 1)), -1.0, 1.0)
        subnormal = (e == 0) & self.signed
        value = sign * (m / 2.0**self.mantissa + ~subnormal) * 2.0 ** (np.where(subnormal, 1, e) - self.bias)
        top = (1 << self.exponent) - 1
        if self.specials == "ieee":
            value = np.where(e == top, np.where(m == 0, sign * np.inf, np.nan), value)
        elif self.specials == "fn":
            value[(e == top) & (m == (1 << self.mantissa) - 1)] = np.nan
        elif self.specials == "fnuz":
            value[1 << (bits - 1)] = np.nan
        return value.astype(np.float32)


# Element types that only files have -> bits an element.
NARROW_BITS = {"BFLOAT16": 16, "UINT4": 4, "INT4": 4, "UINT2": 2, "INT2": 2}
MINIFLOATS = {
    "FLOAT8E4M3FN": Minifloat(4, 3, 7, "fn"),
    "FLOAT8E4M3FNUZ": Minifloat(4, 3, 8, "fnuz"),
    "FLOAT8E5M2": Minifloat(5, 2, 15, "ieee"),
    "FLOAT8E5M2FNUZ": Minifloat(5, 2, 16, "fnuz"),
    "FLOAT8E8M0": Minifloat(8, 0, 127, "fn", signed=False),
    "FLOAT6E2M3": Minifloat(2, 3, 1, ""),
    "FLOAT6E3M2": Minifloat(3, 2, 3, ""),
    "FLOAT4E2M1": Minifloat(2, 1, 1, ""),
}
NARROW_BITS |= {name: int(name[5]) for name in MINIFLOATS}


def element_name(element: int) -> str:
    try:
        return str(TensorProto.DataType.Name(element))
    except ValueError:
        return f"element type {element}"


def stored_dtype(element: int) -> np.dtype | None:
    """The dtype that stands for an element type here; None where none does. What NumPy lacks is widened."""
    if element in DTYPES:
        return DTYPES[element]
    name = element_name(element)
    if name not in NARROW_BITS:
        return None
    return np.dtype(np.int8 if name.startswith("INT") else np.uint8 if name.startswith("UINT") else np.float32)


def declared_dtype(element: int) -> np.dtype | None:
    """The dtype that feeds and results of an element type have, one of package ml_dtypes where NumPy has none."""
    if element_name(element) in NARROW_BITS:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(element))
    return DTYPES.get(element)


def is_coded(element: int) -> bool:
    """Whether elements are narrower than the dtype that stands for them, and rounding to them matters."""
    return element_name(element) in NARROW_BITS and element != TensorProto.BFLOAT16


def is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL


def unpacked(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Codes of 2, 4 or 6 bits from a stream of bits, the first in the lowest bits of the first byte, one a byte."""
    if bits == 8:
        return packed
    count = min(count, packed.size * 8 // bits)
    stream = np.unpackbits(packed, count=count * bits, bitorder="little")
    return np.packbits(stream.reshape(count, bits), axis=1, bitorder="little").reshape(-1)


def widened(name: str, codes: np.ndarray) -> np.ndarray:
    """Values of elements that only files have, from their codes."""
    if name == "BFLOAT16":
        return (codes.astype(np.uint32) << 16).view(np.float32)
    if name in MINIFLOATS:
        return MINIFLOATS[name].table()[codes & np.uint8((1 << NARROW_BITS[name]) - 1)]
    if name.startswith("UINT"):
        return codes
    shift = np.uint8(8 - NARROW_BITS[name])
    return (codes << shift).view(np.int8) >> shift.astype(np.int8)


def size(tensor: TensorProto) -> int:
    """Elements of a tensor. Raises ModelFormatError for a negative size, LimitError beyond the knob TINYCNN_MEMORY."""
    if any(d < 0 for d in tensor.dims):
        raise ModelFormatError(f"tensor {tensor.name!r} has a negative size: {list(tensor.dims)}")
    count = math.prod(tensor.dims)
    dtype = stored_dtype(tensor.data_type)
    if dtype is None:
        raise ModelFormatError(f"tensor {tensor.name!r} has the unknown {element_name(tensor.data_type)}")
    limit = knobs.MEMORY.get()
    if count * dtype.itemsize > limit:
        raise LimitError(
            f"tensor {tensor.name!r} of shape {list(tensor.dims)} needs {count * dtype.itemsize} bytes, "
            f"the limit is {limit}; raise {knobs.MEMORY.name} if you trust the model"
        )
    return count


def to_array(tensor: TensorProto, folder: external.Folder | None = None, apart: np.ndarray | None = None) -> np.ndarray:
    """A tensor's value, not writable, in native byte order. bfloat16, float8, float4 become f32; int4 and int2 int8.

    folder  where external data may lie, see `external.read`
    apart   the bytes of its raw_data, where they lie elsewhere, see `wire`
    Raises ModelFormatError when shape and data contradict each other, LimitError when it is too large.
    """
    count, element = size(tensor), tensor.data_type
    name = element_name(element)
    bits = NARROW_BITS.get(name) or DTYPES[element].itemsize * 8
    if tensor.HasField("segment"):
        raise ModelFormatError(f"tensor {tensor.name!r} is stored in segments, which ONNX never defined")
    if element == TensorProto.STRING:
        flat: np.ndarray = np.array([*tensor.string_data, None], object)[:-1]
        flat = np.array([text(tensor.name, item) for item in flat] + [None], object)[:-1]
    else:
        stored = np.dtype(f"<u{max(bits // 8, 1)}") if name in NARROW_BITS else DTYPES[element].newbyteorder("<")
        nbytes = (count * bits + 7) // 8
        if is_external(tensor):
            flat = external.read(tensor, folder, nbytes).view(stored)
        elif tensor.HasField("raw_data"):
            raw = np.frombuffer(tensor.raw_data, np.uint8) if apart is None else apart
            if len(raw) != nbytes:
                raise ModelFormatError(
                    f"tensor {tensor.name!r} of shape {list(tensor.dims)} and type {name} needs {nbytes} bytes, "
                    f"it has {len(raw)}"
                )
            flat = raw.view(stored)
        else:
            flat = from_field(tensor, stored)
        if name in NARROW_BITS:
            # In int32_data, codes of 6 bits stand one an entry; those of 2 and 4 bits are packed there, too.
            loose = bits > 8 or (bits == 6 and not is_external(tensor) and not tensor.HasField("raw_data"))
            flat = widened(name, flat if loose else unpacked(flat, bits, count))
        else:
            flat = flat.astype(DTYPES[element], copy=False)
    if flat.size != count:
        raise ModelFormatError(
            f"tensor {tensor.name!r} of shape {list(tensor.dims)} needs {count} elements, it has {flat.size}"
        )
    array = flat.reshape(tuple(tensor.dims))
    array.flags.writeable = False
    return array


def text(tensor: str, item: bytes) -> str:
    try:
        return item.decode()
    except UnicodeDecodeError:
        raise ModelFormatError(f"tensor {tensor!r} holds a string that is not UTF-8") from None


def from_field(tensor: TensorProto, stored: np.dtype) -> np.ndarray:
    """The typed field of a tensor, as the dtype in which the file stores elements."""
    element = tensor.data_type
    field = FIELDS.get(element, "int32_data")
    values = getattr(tensor, field)
    if field == "int32_data":
        # int32_data carries the bit patterns of narrower types, f16 among them.
        patterns = np.array(values, np.int32)
        if stored.kind in "fc":
            return patterns.astype(np.uint16).view(stored.newbyteorder("="))
        return patterns.astype(stored)
    name = {"float_data": "f4", "double_data": "f8"}.get(field) or field.removesuffix("_data")
    wide = np.array(values, name)
    return wide.view(stored.newbyteorder("=")) if stored.kind == "c" and len(wide) % 2 == 0 else wide.astype(stored)


def to_tensor(array: np.ndarray, name: str) -> TensorProto:
    """A TensorProto of an array. Raises ModelFormatError for a dtype that ONNX has not."""
    if array.dtype.kind in "OU":
        tensor = TensorProto(name=name, data_type=TensorProto.STRING, dims=array.shape)
        tensor.string_data.extend(str(item).encode() for item in array.reshape(-1))
        return tensor
    if array.dtype not in ELEMENT_TYPES:
        raise ModelFormatError(f"value {name!r} is {array.dtype}, which ONNX has not")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return onnx.helper.make_tensor(name, ELEMENT_TYPES[array.dtype], array.shape, little.tobytes(), raw=True)
