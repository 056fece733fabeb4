"""From a path, bytes or a ModelProto to a model that can be walked without surprises."""

import dataclasses
import io
import math
import os
import stat
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import GraphProto, ModelProto, SparseTensorProto, TensorProto

from tinycnn import knobs
from tinycnn.converters.onnx import tensors
from tinycnn.converters.onnx.external import Folder
from tinycnn.converters.onnx.wire import Apart, File, Irregular, split
from tinycnn.errors import LimitError, ModelFormatError

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | ModelProto
PROTOBUF_LIMIT = (2 << 30) - 1  # https://protobuf.dev/programming-guides/proto-limits/
NEWEST_IR = max(onnx.Version.values())
LFS = b"version https://git-lfs"


@dataclasses.dataclass(frozen=True)
class Model:
    """A model that was read.

    folder  where its external data may lie; None unless it came from a path
    apart   data of large initialisers, which lie no longer in the proto, by their place in the graph
    """

    proto: ModelProto
    folder: Folder | None = None
    apart: Apart = dataclasses.field(default_factory=dict)


def read(source: Source) -> Model:
    """The model, from wherever it is.

    Raises ModelFormatError when the source is no ONNX model, LimitError when it is too large.
    """
    if isinstance(source, ModelProto):
        model, label = Model(source), "the model"
    elif isinstance(source, bytes | bytearray | memoryview):
        label = "the model's bytes"
        model = parsed(io.BytesIO(source), label)
    elif isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        label = repr(path)
        model = from_file(path, label)
    else:
        raise ModelFormatError(f"a model is a path, bytes or an onnx.ModelProto, not {type(source).__name__}")
    proto = model.proto
    if not proto.HasField("graph"):
        raise ModelFormatError(f"{label} holds no graph: it is no ONNX model")
    if proto.ir_version > NEWEST_IR:
        raise ModelFormatError(
            f"{label} is of ONNX IR version {proto.ir_version}, the installed onnx package knows up to {NEWEST_IR}; "
            "upgrade the onnx package"
        )
    check_texts(proto)
    check_sizes(proto.graph)
    return model


def from_file(path: str, label: str) -> Model:
    """Raises ModelFormatError when the file cannot be read or is no model, LimitError when it is too large."""
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            kind = "a folder" if stat.S_ISDIR(info.st_mode) else "no regular file"
            raise ModelFormatError(f"{path!r} is {kind}, not a model")
        limit = knobs.MEMORY.get()
        if info.st_size > limit:
            raise LimitError(f"{path!r} has {info.st_size} bytes, the limit {knobs.MEMORY.name} is {limit}")
        if info.st_size > PROTOBUF_LIMIT:
            raise ModelFormatError(f"{path!r} has {info.st_size} bytes; an ONNX file has less than 2 GiB")
        with open(path, "rb") as file:
            path = os.path.abspath(path)
            return parsed(file, label, Folder(os.path.dirname(path), {path}))
    except (OSError, ValueError) as error:
        if isinstance(error, ModelFormatError | LimitError):
            raise
        raise ModelFormatError(f"{path!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def parsed(file: File, label: str, folder: Folder | None = None) -> Model:
    start = file.read(len(LFS))
    if not start:
        raise ModelFormatError(f"{label}: empty, not a model")
    if start == LFS:
        raise ModelFormatError(f"{label}: a Git LFS pointer, not the model; fetch it with `git lfs pull`")
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        data, apart = split(file, size)
    except Irregular:
        file.seek(0)
        data, apart = file.read(), {}
    try:
        return Model(ModelProto.FromString(data), folder, apart)
    except (DecodeError, RecursionError):
        raise ModelFormatError(f"{label}: truncated, or not an ONNX model") from None


def check_texts(message: Message) -> None:
    """Raises ModelFormatError when a name is not UTF-8: protobuf hands such a name out as bytes."""
    for field, value in message.ListFields() if not isinstance(message, TensorProto) else tensor_fields(message):
        repeated = not isinstance(value, str | bytes | Message | int | float)
        if field.type == field.TYPE_STRING:
            for item in value if repeated else (value,):
                if isinstance(item, bytes):
                    raise ModelFormatError(f"{message.DESCRIPTOR.name}.{field.name} {item[:40]!r} is not UTF-8")
        elif field.type == field.TYPE_MESSAGE:
            for item in value if repeated else (value,):
                check_texts(item)


def tensor_fields(tensor: TensorProto) -> list[tuple[Any, Any]]:
    """The fields of a tensor that hold text; its data stays untouched."""
    fields = TensorProto.DESCRIPTOR.fields_by_name
    return [(fields[name], getattr(tensor, name)) for name in ("name", "doc_string", "external_data")]


def check_sizes(graph: GraphProto) -> None:
    """Raises LimitError when all initialisers together are too large, before any is read."""
    sparse = ((s.values, s.dims) for s in graph.sparse_initializer)
    whole = [TensorProto(name=values.name, data_type=values.data_type, dims=dims) for values, dims in sparse]
    total = 0
    for tensor in (*graph.initializer, *whole):
        count, dtype = tensors.size(tensor), tensors.stored_dtype(tensor.data_type)
        total += count * (dtype.itemsize if dtype else 0)
    limit = knobs.MEMORY.get()
    if total > limit:
        raise LimitError(f"the initialisers need {total} bytes, the limit {knobs.MEMORY.name} is {limit}")


def dense(sparse: SparseTensorProto, folder: Folder | None) -> np.ndarray:
    """A sparse tensor, written out.

    Raises ModelFormatError for indices outside its shape, LimitError when it is too large.
    """
    name, dims = sparse.values.name, tuple(sparse.dims)
    values = tensors.to_array(sparse.values, folder)
    indices = tensors.to_array(sparse.indices, folder)
    full = TensorProto(name=name, data_type=sparse.values.data_type, dims=dims)
    count = tensors.size(full)
    if values.ndim != 1 or indices.dtype != np.int64 or indices.shape not in {values.shape, (values.size, len(dims))}:
        raise ModelFormatError(f"sparse tensor {name!r}: indices {indices.shape} do not fit values {values.shape}")
    sizes = np.array(dims if indices.ndim == 2 else math.prod(dims))
    if (indices < 0).any() or (indices >= sizes).any():
        raise ModelFormatError(f"sparse tensor {name!r} has an index outside its shape {list(dims)}")
    flat = np.zeros(count, values.dtype)
    flat[np.ravel_multi_index(tuple(indices.T), dims) if indices.ndim == 2 else indices] = values
    return flat.reshape(dims)
