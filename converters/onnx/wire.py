"""The large tensors of a model file, read straight into memory of their own: protobuf would copy each several times.

Sources: https://protobuf.dev/programming-guides/encoding/; onnx.proto: ModelProto.graph, GraphProto.initializer and
TensorProto.raw_data.
"""

import io
from collections.abc import Callable, Mapping

import numpy as np

from tinycnn.ir.memory import readable

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
APART = 1 << 14
"""Bytes from which on a tensor's data are set apart."""

Apart = Mapping[int, np.ndarray]
File = io.BufferedReader | io.BytesIO


class Irregular(Exception):
    """The file is damaged, or merges parts of a message: protobuf has to make sense of it."""


def split(file: File, size: int) -> tuple[bytes, Apart]:
    """A model without its large tensors' data, and these by the tensor's place among the graph's initialisers.

    size  bytes from the file's position to its end
    Raises Irregular when this cannot be told from the fields' lengths alone.
    """
    apart: dict[int, np.ndarray] = {}
    tensors = graphs = 0

    def graph(nbytes: int) -> bytes:
        nonlocal graphs
        graphs += 1
        if graphs > 1:
            raise Irregular
        return copied(file, nbytes, {INITIALIZER: tensor})

    def tensor(nbytes: int) -> bytes:
        nonlocal tensors
        tensors += 1
        return copied(file, nbytes, {RAW_DATA: data}) if nbytes >= APART else exactly(file, nbytes)

    def data(nbytes: int) -> bytes:
        if tensors - 1 in apart:
            raise Irregular
        if nbytes < APART:
            return exactly(file, nbytes)
        apart[tensors - 1] = array = readable((nbytes,), np.uint8)
        if file.readinto(array.data) != nbytes:
            raise Irregular
        return b""

    return copied(file, size, {GRAPH: graph}), apart


def copied(file: File, nbytes: int, other: Mapping[int, Callable[[int], bytes]]) -> bytes:
    """The next message, of `nbytes`; for fields in `other`, what their functions make of as many bytes as given."""
    out, stop = bytearray(), file.tell() + nbytes
    while file.tell() < stop:
        tag = varint(file)
        out += encoded(tag)
        number, kind = tag >> 3, tag & 7
        if kind == LENGTH:
            length = varint(file)
            if length > stop - file.tell():
                raise Irregular
            content = other[number](length) if number in other else exactly(file, length)
            out += encoded(len(content)) + content
        elif kind == VARINT:
            out += encoded(varint(file))
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            out += exactly(file, 8 if kind == EIGHT_BYTES else 4)
        else:
            raise Irregular
    if file.tell() != stop:
        raise Irregular
    return bytes(out)


def exactly(file: File, nbytes: int) -> bytes:
    content = file.read(nbytes)
    if len(content) != nbytes:
        raise Irregular
    return content


def varint(file: File) -> int:
    number = 0
    for shift in range(0, 70, 7):
        byte = exactly(file, 1)[0]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number
    raise Irregular


def encoded(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
