"""How operators and fused fields that ONNX has not are written in standard operators."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinycnn.ir import Node
from tinycnn.ops.activation import Activation

if TYPE_CHECKING:
    from tinycnn.converters.onnx.writer import Writer

# Fields of operators that no attribute stands for.
OWN_FIELDS = frozenset({"activation", "indices"})

# function of an Activation -> operator and the names of the attributes that its parameters are
OPERATORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "leaky_relu": ("LeakyRelu", ("alpha",)),
    "thresholded_relu": ("ThresholdedRelu", ("alpha",)),
    "elu": ("Elu", ("alpha",)),
    "selu": ("Selu", ("alpha", "gamma")),
    "celu": ("Celu", ("alpha",)),
    "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
    "hard_swish": ("HardSwish", ()),
    **{
        kind.lower(): (kind, ())
        for kind in (
            "Sigmoid", "Mish", "Gelu", "Tanh", "Softplus", "Softsign", "Exp", "Log", "Sqrt", "Abs", "Neg", "Sign",
            "Reciprocal", "Floor", "Ceil", "Round", "Erf",
        )
    },
}  # fmt: skip


def plain(writer: "Writer", node: Node) -> None:
    """The operator under its own name, then the activation fused into it."""
    fused(writer, node, node.inputs)


def fused(writer: "Writer", node: Node, inputs: tuple[str, ...], residual: str = "") -> None:
    activation: Activation | None = getattr(node.op, "activation", None) if "activation" in vars(node.op) else None
    attributes = writer.attributes(node)
    stages = 1 + bool(residual) + bool(activation)
    y = node.outputs[0]

    def result(role: str) -> str:
        nonlocal stages
        stages -= 1
        return writer.fresh(f"{y}.{role}") if stages else y

    first = result(node.kind.lower())
    value = writer.emit(node.kind, inputs, (first, *node.outputs[1:]), node.name, **attributes)
    if residual:
        value = writer.emit("Add", [value, residual], [result("sum")], f"{node.name}.sum")
    if activation:
        activate(writer, activation, value, y, f"{node.name}.{activation.function}")


def conv(writer: "Writer", node: Node) -> None:
    inputs = node.inputs[:3]
    while not inputs[-1]:
        inputs = inputs[:-1]
    fused(writer, node, inputs, node.inputs[3] if len(node.inputs) > 3 else "")


def activate(writer: "Writer", activation: Activation, x: str, y: str, name: str) -> None:
    """y = activation(x)"""
    function, parameters = activation.function, (activation.alpha, activation.beta)
    if function == "clamp" and parameters == (0.0, float("inf")):
        writer.emit("Relu", [x], [y], name)
    elif function == "quantize":
        whole = writer.emit("Round", [x], [writer.fresh(f"{y}.round")], f"{name}.round")
        activate(writer, Activation("clamp", *parameters), whole, y, name)
    elif function == "clamp":
        dtype = writer.facts[writer.inside.get(x, x)].dtype or np.dtype(np.float32)
        bounds = [
            writer.constant(np.array(value, dtype), f"{y}.{role}") if np.isfinite(value) else ""
            for role, value in zip(("min", "max"), parameters, strict=True)
        ]
        writer.emit("Clip", [x, *bounds], [y], name)
    elif function == "swish":
        gate = writer.emit("Sigmoid", [x], [writer.fresh(f"{y}.sigmoid")], f"{name}.sigmoid")
        writer.emit("Mul", [x, gate], [y], name)
    elif function == "gelu_tanh":
        writer.emit("Gelu", [x], [y], name, approximate="tanh")
    else:
        kind, names = OPERATORS[function]
        writer.emit(kind, [x], [y], name, **dict(zip(names, parameters, strict=False)))


def scale_shift(writer: "Writer", node: Node) -> None:
    """A batch normalisation of mean 0 and variance 1, which holds for tensors of any rank."""
    x, scale, shift = node.inputs
    dtype = writer.facts[writer.inside.get(scale, scale)].dtype or np.dtype(np.float32)
    value = writer.constants.get(scale)
    spec = writer.graph.specs.get(scale)
    channels = value.size if value is not None else spec.size if spec is not None and spec.is_static else None
    if channels is None:
        writer.refuse(node, "the number of channels is not known")
        return
    mean = writer.constant(np.zeros(channels, dtype), f"{node.outputs[0]}.mean")
    variance = writer.constant(np.ones(channels, dtype), f"{node.outputs[0]}.variance")
    activation: Activation | None = node.op.activation  # type: ignore[attr-defined]
    y = node.outputs[0]
    first = writer.fresh(f"{y}.normal") if activation else y
    writer.emit("BatchNormalization", [x, scale, shift, mean, variance], [first], node.name, epsilon=0.0)
    if activation:
        activate(writer, activation, first, y, f"{node.name}.{activation.function}")


def swish(writer: "Writer", node: Node) -> None:
    """x sigmoid(alpha x)"""
    x, y, alpha = node.inputs[0], node.outputs[0], node.op.alpha  # type: ignore[attr-defined]
    inner = x
    if alpha != 1:
        factor = writer.constant(np.array(alpha, np.float32), f"{y}.alpha")
        inner = writer.emit("Mul", [x, factor], [writer.fresh(f"{y}.inner")], f"{node.name}.inner")
    gate = writer.emit("Sigmoid", [inner], [writer.fresh(f"{y}.sigmoid")], f"{node.name}.sigmoid")
    writer.emit("Mul", [x, gate], [y], node.name)


CODES = {(np.iinfo(t).min, np.iinfo(t).max): np.dtype(t) for t in (np.int8, np.uint8, np.int16, np.uint16)}


def fake_quantize(writer: "Writer", node: Node) -> None:
    op: Any = node.op
    x, scale, zero = (*node.inputs, "")[:3]
    dtype = CODES.get((op.qmin, op.qmax))
    value = writer.constants.get(zero) if zero else np.zeros((), np.int8)
    if dtype is None or value is None:
        writer.refuse(node, f"the codes {op.qmin} to {op.qmax} are no type of ONNX, or the zero point is not constant")
        return
    scales = writer.constants.get(scale)
    shape = scales.shape if not zero and scales is not None else value.shape
    point = writer.constant(np.broadcast_to(value, shape).astype(dtype), f"{node.outputs[0]}.zero_point")
    attributes = {"axis": op.axis, "block_size": op.block_size}
    codes = writer.fresh(f"{node.outputs[0]}.codes")
    writer.emit("QuantizeLinear", [x, scale, point], [codes], f"{node.name}.quantize", **attributes)
    writer.emit("DequantizeLinear", [codes, scale, point], node.outputs, node.name, **attributes)


def shuffled(writer: "Writer", node: Node, x: str, groups: int) -> None:
    """[n, groups * m, ...] to [n, m * groups, ...], by shapes that need not be known: channels last, split, swapped."""
    rank, y = writer.rank(x), node.outputs[0]
    if rank is None:
        writer.refuse(node, "the rank of its input is not known")
        return
    keep = [0] * (rank - 1)

    def step(kind: str, value: str, role: str, target: str = "", **attributes: Any) -> str:
        operands = [value]
        if "shape" in attributes:
            operands.append(writer.constant(np.array(attributes.pop("shape"), np.int64), f"{y}.{role}.shape"))
        return writer.emit(kind, operands, [target or writer.fresh(f"{y}.{role}")], f"{node.name}.{role}", **attributes)

    value = step("Transpose", x, "last", perm=(0, *range(2, rank), 1))
    value = step("Reshape", value, "split", shape=[*keep, groups, -1])
    value = step("Transpose", value, "swap", perm=(*range(rank - 1), rank, rank - 1))
    value = step("Reshape", value, "join", shape=[*keep, -1])
    step("Transpose", value, "first", y, perm=(0, rank - 1, *range(1, rank - 1)))
    writer.facts[y] = replace(writer.facts[y], rank=rank)  # which a Reshape does not tell


def channel_shuffle(writer: "Writer", node: Node) -> None:
    shuffled(writer, node, node.inputs[0], node.op.group)  # type: ignore[attr-defined]


def space_to_depth(writer: "Writer", node: Node) -> None:
    """Channels in the order (c, row, column) are a shuffle of the order (row, column, c), which opset 21 gives."""
    op: Any = node.op
    if op.mode == "DCR":
        writer.emit("SpaceToDepth", node.inputs, node.outputs, node.name, blocksize=op.blocksize)
        return
    stacked = writer.fresh(f"{node.outputs[0]}.stacked")
    writer.emit("SpaceToDepth", node.inputs, [stacked], f"{node.name}.stack", blocksize=op.blocksize)
    shuffled(writer, node, stacked, op.blocksize**2)


EXPANSIONS: dict[str, Callable[["Writer", Node], None]] = {
    "Conv": conv,
    "ScaleShift": scale_shift,
    "Swish": swish,
    "FakeQuantize": fake_quantize,
    "ChannelShuffle": channel_shuffle,
    "SpaceToDepth": space_to_depth,
}
