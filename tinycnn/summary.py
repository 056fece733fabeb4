"""What a session will run for given input shapes, as rows for people and machines."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.planner.program import Port, Program
from tinycnn.runtime import executor_cpu, executor_cuda
from tinycnn.runtime.network import Network, Plan, typical
from tinycnn.session import InferenceSession


@dataclass(frozen=True)
class Layer:
    """One node of a plan. `native` is False where Python computes it; macs are multiply-adds, parameters numbers."""

    name: str
    operator: str
    output: str
    parameters: int
    macs: int
    algorithm: str
    reason: str
    native: bool = True


@dataclass(frozen=True)
class Summary:
    """A plan in numbers. Bytes unless the name says otherwise; macs are multiply-adds of one inference."""

    model: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    layers: tuple[Layer, ...]
    parameters: int
    macs: int
    arena_bytes: int
    weight_bytes: int
    native_stretches: int
    threads: int
    target: str
    report: tuple[dict[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def default_shapes(session: InferenceSession, wishes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Input shapes: as wished, else as declared, with usual sizes where these are symbolic."""
    return {name: wishes.get(name, typical(spec)) for name, spec in session.declared.inputs.items()}


def program_layers(program: Program) -> list[Layer]:
    return [
        Layer(s.node, s.operator, join(s.outputs), s.parameters, s.macs, s.algorithm, s.reason) for s in program.steps
    ]


def copied(port: Port, way: str) -> Layer:
    return Layer(port.name, "Copy", join((port.spec,)), 0, 0, way, f"{port.spec.nbytes:,} bytes")


def join(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join("x".join(map(str, spec.shape or ())) or "scalar" for spec in specs)


def python_layer(node: Node, graph: Graph) -> Layer:
    reason = "no kernel for this operator or dtype: its reference runs in Python"
    specs = tuple(graph.specs[name] for name in node.outputs if name in graph.specs)
    return Layer(node.name or node.outputs[0], node.kind, join(specs) or "?", 0, 0, "reference", reason, False)


def plan_layers(plan: Plan) -> list[Layer]:
    layers: list[Layer] = []
    for part in plan.parts:
        if isinstance(part, executor_cuda.Executor):
            program = part.program
            layers += [copied(port, "to device") for port in program.inputs]
            layers += program_layers(program)
            layers += [copied(port, "to host") for port in program.outputs]
        elif isinstance(part, executor_cpu.Executor):
            layers += program_layers(part.program)
        elif isinstance(part, Network):
            reason = "its shapes depend on what is computed before: planned when that is known"
            layers += [
                Layer(n.name or n.outputs[0], n.kind, "?", 0, 0, "later", reason, False) for n in part.graph.nodes
            ]
        else:
            layers.append(python_layer(part, plan.graph))
    return layers


def summarise(session: InferenceSession, wishes: Mapping[str, tuple[int, ...]] | None = None) -> Summary:
    """Plans for these input shapes, and tells what came out. Raises ShapeError when they contradict the model."""
    shapes = default_shapes(session, wishes or {})
    plan = session.plan(shapes)
    programs = [part.program for part in plan.parts if isinstance(part, executor_cpu.Executor | executor_cuda.Executor)]
    layers = plan_layers(plan)
    specs = plan.graph.specs
    return Summary(
        session.declared.name,
        {name: "x".join(map(str, shape)) for name, shape in shapes.items()},
        {name: str(specs[name]) if name in specs else "?" for name in plan.graph.outputs},
        tuple(layers),
        sum(layer.parameters for layer in layers),
        sum(layer.macs for layer in layers),
        max((p.arena_bytes for p in programs), default=0),
        sum(p.weight_bytes for p in programs),
        len(programs),
        max(o.threads for o in session.network.options),
        ", ".join(o.target.name for o in session.network.options),
        tuple(asdict(action) for action in plan.graph.report),
    )
