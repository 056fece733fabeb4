"""Graph to rows: what runs, in which layout and memory, and what need not run at all."""

import numpy as np
import pytest

from tests.planner.programs import RELU, chain, node, normal, program
from tinycnn.errors import OptionError
from tinycnn.ir import Graph, Node
from tinycnn.kernels.cpu import isa
from tinycnn.planner.choose import Options
from tinycnn.planner.lower import write
from tinycnn.planner.program import Program, decode, text
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime.executor_cpu import Executor


def kernels(p: Program) -> list[str]:
    """Names of the rows' kernels, without what depends on the machine."""
    return [p.kernels[row.kernel].name.split("_f32")[0] for row in p.rows]


def buffer_of(p: Program, row: int, field: str) -> int:
    return decode(getattr(p.values(p.rows[row]), field))[0]


def run(graph: Graph, p: Program) -> np.ndarray:
    feeds = [np.random.default_rng(0).standard_normal(spec.dims, np.float32) for spec in graph.inputs.values()]
    return Executor(p).run(feeds)[0]


def conv(x: str, w: str, y: str) -> Node:
    return node("Conv", f"{x} {w}", y, pads=(1, 1, 1, 1))


def test_reorders_stand_only_where_layouts_meet() -> None:
    w, v = normal(32, 40, 3, 3), normal(32, 32, 3, 3)
    graph = chain((1, 40, 8, 9), conv("x", "w", "a"), conv("a", "v", "b"), conv("b", "v", "y"), w=w, v=v)
    names = kernels(program(graph, "direct"))
    assert names == ["reorder", *["conv_direct_step" + str(4 * isa.current().lanes)] * 3, "reorder"]


def test_an_elementwise_function_takes_over_the_memory_of_its_input() -> None:
    p = program(chain((2, 3, 5, 7), node("Relu", "x", "a"), node("Sigmoid", "a", "y")))
    assert buffer_of(p, 1, "x") == buffer_of(p, 1, "y") == buffer_of(p, 0, "y")


def test_memory_that_is_read_later_is_not_taken_over() -> None:
    graph = chain((2, 3, 5, 7), node("Relu", "x", "a"), node("Sigmoid", "a", "b"), node("Add", "a b", "y"))
    p = program(graph)
    assert buffer_of(p, 1, "x") != buffer_of(p, 1, "y")


def scratch(p: Program) -> list[tuple[int, int]]:
    """Of each row that has some for each thread: the buffer, and bytes from one thread's part to the next one's."""
    values = [p.values(row) for row in p.rows]
    return [(decode(v.scratch)[0], v.scratch_bytes) for v in values if getattr(v, "scratch", 0)]


@pytest.mark.parametrize("threads", [2, 3])
def test_each_of_several_threads_finds_its_scratch_at_the_same_place_in_all_nodes(threads: int) -> None:
    w, v = normal(64, 32, 3, 3), normal(16, 64, 3, 3)
    p = program(chain((1, 32, 30, 31), conv("x", "w", "a"), conv("a", "v", "y"), w=w, v=v), "winograd_f4x3", threads)
    (buffer, stride), second = scratch(p)
    assert (buffer, stride) == second
    assert p.buffers[buffer].nbytes == stride * threads


def test_rows_of_one_node_share_the_scratch_of_each_thread() -> None:
    up = node("ConvTranspose", "x w", "y", strides=(2, 2))
    p = program(chain((1, 32, 30, 31), up, w=normal(32, 16, 3, 3)), "", 2)
    found = scratch(p)
    assert len(found) > 1
    assert len(set(found)) == 1


def test_scratch_of_one_thread_lives_as_long_as_its_node() -> None:
    w, v = normal(64, 32, 3, 3), normal(16, 64, 3, 3)
    p = program(chain((1, 32, 30, 31), conv("x", "w", "a"), conv("a", "v", "y"), w=w, v=v), "winograd_f4x3", 1)
    (first, _), (second, _) = scratch(p)
    assert p.buffers[first].last < p.buffers[second].first


def test_a_view_costs_nothing() -> None:
    nodes = [node("Relu", "x", "a"), node("Reshape", "a shape", "b"), node("Relu", "b", "y")]
    p = program(chain((2, 3, 4, 5), *nodes, shape=np.array([6, 20])))
    assert kernels(p) == ["unary", "unary"]
    assert [step.rows for step in p.steps] == [1, 0, 1]


def branches(channels: int) -> Graph:
    return chain(
        (1, 16, 6, 7),
        conv("x", "v", "a"), conv("x", "w", "b"),
        node("Concat", "a b", "c", axis=1), conv("c", "u", "y"),
        v=normal(channels, 16, 3, 3), w=normal(channels, 16, 3, 3), u=normal(8, 2 * channels, 3, 3),
    )  # fmt: skip


def test_branches_of_whole_blocks_are_computed_into_their_concat() -> None:
    p = program(branches(32), "direct")
    assert not any(name.startswith("copy") for name in kernels(p))
    first, second = (
        i for i, name in enumerate(kernels(p)) if name.startswith("conv") and p.steps[p.rows[i].step].node in "ab"
    )
    assert buffer_of(p, first, "y") == buffer_of(p, second, "y")
    assert decode(p.values(p.rows[second]).y)[1] == 4 * 32 * 6 * 7


def test_branches_of_part_blocks_are_moved() -> None:
    assert any(name.startswith("copy") for name in kernels(program(branches(17), "direct")))


@pytest.mark.parametrize("channels", [17, 32])
def test_either_way_the_result_is_the_same(channels: int) -> None:
    graph = branches(channels)
    wanted = {"x": np.random.default_rng(0).standard_normal((1, 16, 6, 7), np.float32)}
    for n in graph.nodes:
        inputs = [wanted.get(name, graph.constants.get(name)) for name in n.inputs]
        wanted[n.outputs[0]] = n.op.reference(*inputs)[0]
    np.testing.assert_allclose(run(graph, program(graph, "direct")), wanted["y"], rtol=1e-3, atol=1e-3)


def test_a_value_that_is_read_twice_is_reordered_once() -> None:
    nodes = [conv("x", "w", "a"), conv("x", "v", "b"), node("Add", "a b", "y")]
    graph = chain((1, 40, 8, 9), *nodes, w=normal(9, 40, 3, 3), v=normal(9, 40, 3, 3))
    assert kernels(program(graph, "direct")).count("reorder") == 2


def test_weights_are_packed_once_for_all_plans() -> None:
    store, w = WeightStore(), normal(8, 3, 3, 3)
    options = Options(isa.current(), 1, {"": "direct"})
    programs = [write(chain((1, 3, size, size), conv("x", "w", "y"), w=w), options, store) for size in (9, 12)]
    blocks = [{id(b.weights): b.nbytes for b in p.buffers if b.weights is not None} for p in programs]
    shared = blocks[0].keys() & blocks[1].keys()
    assert sum(blocks[0][key] for key in shared) >= w.nbytes


def test_a_wish_for_one_node_counts_for_that_node() -> None:
    graph = chain((1, 8, 9, 9), conv("x", "w", "a"), conv("a", "w", "y"), w=normal(8, 8, 3, 3))
    p = program(graph, "direct", a="winograd_f2x3")
    assert [step.algorithm for step in p.steps if step.operator == "Conv"] == ["winograd_f2x3", "direct"]


def test_a_wish_that_cannot_be_met_is_refused_for_a_node_and_passed_over_for_all() -> None:
    graph = chain((1, 8, 9, 9), node("Conv", "x w", "y", strides=(2, 2)), w=normal(8, 8, 3, 3))
    assert program(graph, "winograd_f4x3").steps[0].algorithm != "winograd_f4x3"
    with pytest.raises(OptionError, match="'y' cannot run by 'winograd_f4x3'; it can by: .*direct"):
        program(graph, y="winograd_f4x3")


def test_a_program_can_be_printed() -> None:
    graph = chain(
        (1, 3, 8, 9), node("Conv", "x w", "c", activation=RELU), node("Softmax", "c", "y"), w=normal(4, 3, 1, 1)
    )
    lines = text(program(graph, "direct"))
    assert lines == text(program(graph, "direct"))
    assert lines[0].startswith("c: conv_direct")
    assert "x=x+0" in lines[0]
    assert "hi=inf" in lines[0]


def test_an_output_may_also_be_read_on() -> None:
    graph = chain((1, 3, 4, 5), node("Relu", "x", "a"), node("Sigmoid", "a", "y")).replace(outputs=("a", "y", "x"))
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 5), np.float32)
    a, y, same = Executor(program(graph)).run([x])
    np.testing.assert_array_equal(a, np.maximum(x, 0))
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-a)), rtol=1e-5)
    np.testing.assert_array_equal(same, x)
