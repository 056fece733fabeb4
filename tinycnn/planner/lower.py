"""Graph to program: choose kernels node by node, insert reorders where layouts meet, write the rows."""

import collections
from collections.abc import Iterator, Sequence

from tinycnn import knobs
from tinycnn.errors import LimitError
from tinycnn.ir import Graph, TensorSpec
from tinycnn.kernels.lowering import Choice, Layout, Request, blocks
from tinycnn.planner import arena
from tinycnn.planner.choose import Options, choose
from tinycnn.planner.concat import find_parts
from tinycnn.planner.emitter import write_node
from tinycnn.planner.loans import lend
from tinycnn.planner.program import Port, Program, Step
from tinycnn.planner.verify import verify
from tinycnn.planner.weights import WeightStore
from tinycnn.planner.writer import Writer


def one_by_one(
    graph: Graph, chosen: collections.deque[tuple[Request, Choice]], spends: bool
) -> Iterator[tuple[Request, Choice]]:
    """What was chosen, in order, and no longer here once it is handed out. `spends`: nor are constants in the graph
    when the last node that reads them is done."""
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    for i, node in enumerate(graph.nodes):
        yield chosen.popleft()
        if spends:
            assert isinstance(graph.constants, dict)
            for name in {name for name in node.inputs if last[name] == i}.difference(graph.outputs):
                graph.constants.pop(name, None)


def write(graph: Graph, options: Options, store: WeightStore, spends: bool = False) -> Program:
    """The verified program of a graph whose specs are all known and whose nodes all have kernels.

    spends  whether constants leave the graph's own dict as they are packed, so that who keeps no other reference to
            them holds none twice

    Raises LimitError when the arena, or a number in a row, is larger than allowed. Raises ProgramError when the result
    does not pass the verifier, which is a defect of ours, not of the model.
    """
    chosen = collections.deque(choose(graph, options))
    writer = Writer(graph, options, store, find_parts(graph, chosen))
    inputs = [feed(writer, name, spec, "plain") for name, spec in graph.inputs.items()]
    for request, choice in one_by_one(graph, chosen, spends):
        write_node(writer, request, choice)
    outputs = [finish_output(writer, graph, name) for name in graph.outputs]
    last = max(len(writer.rows) - 1, 0)
    for port in outputs:
        writer.buffers[port.buffer].touch(last)
    return lend(finish(writer, inputs, outputs))


def feed(writer: Writer, name: str, spec: TensorSpec, layout: Layout) -> Port:
    """Where an input enters; a blocked one as the array that it is in memory, [n, blocks, *spatial, lanes]."""
    ref = writer.new_value(name, spec, layout)
    writer.buffers[ref.buffer].touch(0)
    if layout == "blocked":
        (n, c, *spatial), lanes = spec.dims, writer.options.target.lanes
        spec = spec.with_shape((n, blocks(c, lanes), *spatial, lanes))
    return Port(name, spec, ref.buffer, ref.offset)


def finish(writer: Writer, inputs: Sequence[Port], outputs: Sequence[Port]) -> Program:
    """Places all values in the arena, and verifies what was written."""
    options = writer.options
    size = arena.place(writer.buffers)
    if size > knobs.MEMORY.get():
        largest = max((b for b in writer.buffers if b.weights is None), key=lambda b: b.nbytes)
        raise LimitError(
            f"all values that live at once need {size:,} bytes, the largest is {largest.name!r}; at most "
            f"{knobs.MEMORY.get():,} are allowed, the environment variable {knobs.MEMORY.name} sets how many"
        )
    program = Program(
        tuple(writer.kernel_list), writer.finished_rows(), tuple(writer.buffers), tuple(inputs), tuple(outputs), size,
        options.target.name, options.threads, options.target.overread, tuple(writer.steps),
    )  # fmt: skip
    return verify(program)


def finish_output(writer: Writer, graph: Graph, name: str) -> Port:
    """A result in the plain layout; reorders that only serve results stand as a step of their own."""
    spec = graph.specs.get(name) or graph.inputs[name]
    before = len(writer.rows)
    ref = writer.locate(name, spec, "plain")
    if len(writer.rows) > before:
        reason, rows = "results leave in the plain layout", len(writer.rows) - before
        step = Step(name, "Output", "reorder", reason, rows, 0, 0.0, (spec,), (spec,), 0)
        writer.steps.append(step)
    return Port(name, spec, ref.buffer, ref.offset)
