"""Packed constants belong to the arrays that they were made of, even when an id comes again."""

import collections
import gc
import weakref

import numpy as np
import pytest

import tinycnn
from tests.planner.programs import node
from tinycnn.ir import Graph, TensorSpec
from tinycnn.planner.weights import WeightStore


def test_a_block_is_made_once_and_lives_as_long_as_a_plan() -> None:
    store, constant = WeightStore(), np.arange(4, dtype=np.float32)
    first = store.get(("y", "k"), [constant], constant.copy)
    assert store.get(("y", "k"), [constant], lambda: np.zeros(4, np.float32)) is first
    assert store.get(("y", "other"), [constant], constant.copy) is not first
    del first
    assert list(store.sources) == list(store.blocks) == []


@pytest.mark.parametrize("kept", [1, 2, 8])
def test_no_block_is_taken_for_that_of_an_array_whose_id_came_again(kept: int) -> None:
    store, plans = WeightStore(), collections.deque[np.ndarray](maxlen=kept)
    for i in range(200):
        constant = np.full(4, i, np.float32)
        plans.append(store.get(("y", "k"), [constant], constant.copy))
        assert plans[-1][:16].view(np.float32).tolist() == [i] * 4
        del constant


def test_weights_that_follow_from_the_input_are_those_of_its_shape() -> None:
    """x [1, 16, h, 4] is convolved with weights that are all h."""
    nodes = (
        node("Shape", "x", "shape"),
        node("Gather", "shape two", "height"),
        node("Cast", "height", "number", to=1),
        node("Expand", "number size", "w"),
        node("Conv", "x w", "y"),
    )
    constants = {"two": np.array([2]), "size": np.array([16, 16, 1, 1])}
    graph = Graph({"x": TensorSpec((1, 16, "h", 4), np.dtype(np.float32))}, ("y",), nodes, constants)
    session = tinycnn.InferenceSession(graph)
    for h in range(1, 60):
        [y] = session.run(None, {"x": np.ones((1, 16, h, 4), np.float32)})
        np.testing.assert_array_equal(y, 16 * h)


def test_packed_weights_lie_together_and_go_with_the_session() -> None:
    nodes = (node("Conv", "x w", "a"), node("Relu", "a", "b"), node("Conv", "b w2", "y"))
    constants = {"w": np.ones((16, 3, 3, 3), np.float32), "w2": np.ones((16, 16, 1, 1), np.float32)}
    session = tinycnn.InferenceSession(Graph({"x": TensorSpec.f32(1, 3, 8, 8)}, ("y",), nodes, constants))
    executor = session.plan({"x": (1, 3, 8, 8)}).executor
    assert executor
    [chunk] = session.network.store.pool.chunks
    packed = [b.weights for b in executor.program.buffers if b.weights is not None]
    assert all(np.shares_memory(block, chunk.memory) for block in packed)
    memory = weakref.ref(chunk.memory)
    del session, executor, packed, chunk
    gc.collect()
    assert memory() is None
