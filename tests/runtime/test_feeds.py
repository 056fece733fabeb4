"""Feeds that are read where the caller has them."""

import ctypes
import mmap
from collections.abc import Sequence

import numpy as np
import pytest

from tests.passes.network import Line, network, weights
from tinycnn.ir import Graph
from tinycnn.kernels.cpu import isa
from tinycnn.ops.activation import Activation
from tinycnn.ops.add import Add
from tinycnn.ops.conv import Conv
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.relu import Relu
from tinycnn.ops.reshape import Reshape
from tinycnn.planner.choose import Options
from tinycnn.runtime.executor_cpu import Executor
from tinycnn.runtime.network import Network

SHAPE = (1, 3, 64, 64)
CONV: Line = ("y", Conv(strides=(2, 2), pads=(1, 1, 1, 1), activation=Activation("clamp", 0.0, 6.0)), "x w")
CONSTANTS = {"w": weights(5, 3, 3, 3), "p": weights(5, 3, 1, 1), "shape": np.array([1, -1])}


def graph(lines: Sequence[Line] = (CONV,), shape: tuple[int, ...] = SHAPE, outputs: str = "y") -> Graph:
    return network(lines, CONSTANTS, {"x": shape}, outputs)


def executor(made: Graph, threads: int = 2) -> Executor:
    found = Network(made, [Options(isa.current(), threads)]).plan({"x": made.inputs["x"].dims}).executor
    assert isinstance(found, Executor)
    return found


@pytest.mark.parametrize(
    "lines, shape, outputs, lent",
    [
        ([CONV], SHAPE, "y", True),
        ([CONV, ("z", MaxPool((2, 2)), "x")], SHAPE, "y z", True),
        ([CONV], (1, 3, 50, 50), "y", False),
        ([("y", Conv(), "x p")], (1, 3, 101, 103), "y", False),
        ([CONV, ("z", Reshape(), "x shape")], SHAPE, "y z", False),
        ([("y", Relu(), "x")], SHAPE, "y", False),
    ],
    ids=["whole vectors", "read twice", "small", "read beyond its end", "also a result", "overwritten"],
)
def test_an_input_is_lent_if_rows_only_read_its_own_bytes(
    lines: list[Line], shape: tuple[int, ...], outputs: str, lent: bool
) -> None:
    [port] = executor(graph(lines, shape, outputs)).program.inputs
    assert bool(port.places) == lent


def at_the_end_of_memory(x: np.ndarray) -> np.ndarray:
    """The same numbers, behind which stands a page that cannot be read."""
    whole = -(-x.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, whole + mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    view = np.frombuffer(memory, np.uint8)
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(view.ctypes.data + whole), mmap.PAGESIZE, 0) == 0
    copy = view[whole - x.nbytes : whole].view(np.float32).reshape(x.shape)
    copy[:] = x
    return copy


def unaligned(x: np.ndarray) -> np.ndarray:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    raw[1:] = x.reshape(-1).view(np.uint8)
    return raw[1:].view(np.float32).reshape(x.shape)


WAYS = {
    "its own": np.copy,
    "at the end of memory": at_the_end_of_memory,
    "unaligned": unaligned,
    "columns first": np.asfortranarray,
    "every other": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "read only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
}


@pytest.mark.skipif(not hasattr(mmap, "MAP_ANONYMOUS"), reason="needs pages that cannot be read")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("line", [CONV, ("y", Add(Activation("clamp", -1.0, 1.0)), "x x")], ids=["conv", "add"])
def test_results_do_not_depend_on_where_feeds_lie(line: Line, threads: int) -> None:
    """One after the other, so that each takes the place of one that lay elsewhere."""
    made = graph([line])
    runner = executor(made, threads)
    for seed, way in enumerate((*WAYS, *WAYS)):
        x = np.random.default_rng(seed).standard_normal(SHAPE, np.float32)
        feed = WAYS[way](x)
        [found] = runner.run([feed])
        [wanted] = executor(made, threads).run([x])
        np.testing.assert_array_equal(found, wanted, way)
        np.testing.assert_array_equal(feed, x, way)


@pytest.mark.parametrize("feed", [np.zeros((1, 3, 64, 63), np.float32), np.zeros((1, 3, 64), np.float32)], ids=str)
def test_an_array_of_another_shape_is_never_read_beyond_its_end(feed: np.ndarray) -> None:
    with pytest.raises(ValueError, match="broadcast"):
        executor(graph()).run([feed])
