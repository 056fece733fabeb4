"""Setting large tensors apart says of every file what protobuf says of it, damaged ones included."""

import io

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tinycnn.converters.onnx.wire import APART, Irregular, split
from tinycnn.ir.memory import OVERREAD, block_of

LARGE = np.arange(APART // 4, dtype=np.float32)


def model(*arrays: np.ndarray) -> ModelProto:
    initialisers = [numpy_helper.from_array(array, f"w{i}") for i, array in enumerate(arrays)]
    node = helper.make_node("Concat", [t.name for t in initialisers], ["y"], axis=0)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph([node], "g", [], [y], initialisers)
    return helper.make_model(graph, producer_name="x" * 200)


def whole(data: bytes) -> ModelProto | None:
    try:
        return ModelProto.FromString(data)
    except DecodeError:
        return None


def put_together(data: bytes) -> ModelProto | None:
    slim, apart = split(io.BytesIO(data), len(data))
    proto = whole(slim)
    if proto is not None:
        for i, array in apart.items():
            assert proto.graph.initializer[i].raw_data == b"" and proto.graph.initializer[i].HasField("raw_data")
            proto.graph.initializer[i].raw_data = array.tobytes()
    return proto


def graph_of(*tensors: bytes) -> bytes:
    """A model of one graph, whose initialisers are these bytes."""
    return message(7, b"".join(message(5, tensor) for tensor in tensors))


def message(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size >= 0x80:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def test_large_tensors_are_apart_and_kernels_can_read_them() -> None:
    proto = model(LARGE, LARGE[:3], LARGE * 2)
    data = proto.SerializeToString()
    slim, apart = split(io.BytesIO(data), len(data))
    assert sorted(apart) == [0, 2] and len(slim) < 1000
    np.testing.assert_array_equal(apart[2].view(np.float32), LARGE * 2)
    assert np.shares_memory(block_of(apart[0]), apart[0]) and block_of(apart[0]).nbytes == LARGE.nbytes + OVERREAD
    assert put_together(data) == proto


BIG, SMALL = message(9, bytes(APART)), message(9, b"1234")


@pytest.mark.parametrize(
    ("data", "regular"),
    [
        (graph_of(SMALL + BIG), True),
        (graph_of(BIG + SMALL), False),
        (graph_of(BIG + BIG), False),
        (graph_of(BIG) + message(7, b""), False),
        (graph_of(BIG)[:-1], False),
        (graph_of(BIG) + b"\x0b\x0c", False),
        (graph_of(BIG) + b"\x80" * 11, False),
        (graph_of(BIG + bytes([9 << 3, 1])), True),
        (graph_of(BIG) + bytes([7 << 3 | 5, 0, 0, 0, 0]), True),
        (message(7, message(5, message(9, bytes(APART)))[:-9]), False),
    ],
    ids="small-first small-last twice two-graphs truncated group varint number fixed too-long".split(),
)
def test_what_only_protobuf_can_tell_is_left_to_it(data: bytes, regular: bool) -> None:
    if regular:
        assert put_together(data) == whole(data) is not None
    else:
        with pytest.raises(Irregular):
            split(io.BytesIO(data), len(data))


DATA = model(LARGE, LARGE[:2], LARGE).SerializeToString()
PLACES = st.integers(0, 400) | st.integers(APART, APART + 600) | st.integers(0, len(DATA) - 1)


@given(st.lists(st.tuples(PLACES, st.integers(0, 255)), min_size=1, max_size=3), st.integers(0, 50))
def test_damage_is_seen_as_protobuf_sees_it(changes: list[tuple[int, int]], lost: int) -> None:
    data = bytearray(DATA)
    for place, byte in changes:
        data[min(place, len(data) - 1)] = byte
    damaged = bytes(data[: len(data) - lost])
    try:
        found = put_together(damaged)
    except Irregular:
        return
    assert found == whole(damaged)
