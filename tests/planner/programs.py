"""Small programs in which every family of kernels has a row."""

from collections.abc import Callable

import numpy as np

from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.planner.choose import Options
from tinycnn.planner.lower import write
from tinycnn.planner.partition import infer_missing
from tinycnn.planner.program import Program
from tinycnn.planner.weights import WeightStore

THREADS = 2
RELU = Activation("clamp", 0.0, np.inf)
rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


def node(kind: str, inputs: str, output: str, **attributes: object) -> Node:
    return Node(REGISTRY[kind](**attributes), tuple(inputs.replace("-", "").split(" ")), (output,), output)


def chain(x: tuple[int, ...], *nodes: Node, **constants: np.ndarray) -> Graph:
    """The nodes in order; the input is x, the output that of the last. "-" stands for an absent input."""
    return infer_missing(Graph({"x": TensorSpec.f32(*x)}, nodes[-1].outputs, nodes, constants))


def convolutions() -> Graph:
    return chain(
        (1, 3, 11, 13),
        node("Conv", "x w b", "first", pads=(1, 1, 1, 1), strides=(1, 2)),
        node("Conv", "first d", "depthwise", pads=(1, 1, 1, 1), group=19, activation=Activation("sigmoid")),
        node("Conv", "depthwise p q first", "pointwise", activation=RELU),
        w=normal(19, 3, 3, 3), b=normal(19), d=normal(19, 1, 3, 3), p=normal(19, 19, 1, 1), q=normal(19),
    )  # fmt: skip


def expanded() -> Graph:
    """With more rows than pixels of a register tile, and fewer channels than lanes."""
    fields = {"first": Conv(activation=RELU), "second": Conv((2, 1), (1, 1, 1, 1), (1, 2), 19, activation=RELU)}
    return chain(
        (1, 3, 11, 13),
        node("Conv", "x w b", "first", pads=(1, 1, 1, 1)),
        node("ExpandedConv", "first e d b", "y", **fields),
        w=normal(19, 3, 3, 3), b=normal(19), e=normal(19, 19, 1, 1), d=normal(19, 1, 3, 3),
    )  # fmt: skip


def classifier() -> Graph:
    return chain(
        (2, 5, 9, 10),
        node("MaxPool", "x", "pool", kernel_shape=(3, 2), strides=(2, 2), pads=(1, 0, 1, 1)),
        node("Sigmoid", "pool", "gate"),
        node("Mul", "pool gate", "gated"),
        node("GlobalAveragePool", "gated", "mean"),
        node("Flatten", "mean", "flat"),
        node("Gemm", "flat w b", "scores", transB=1),
        node("Softmax", "scores", "y"),
        w=normal(7, 5), b=normal(7),
    )  # fmt: skip


def large() -> Graph:
    """Weights that no cache holds."""
    return chain((1, 1030), node("Gemm", "x w b", "y", transB=1, activation=RELU), w=normal(257, 1030), b=normal(257))


def normalised() -> Graph:
    return chain(
        (1, 18, 6, 7),
        node("ScaleShift", "x s t", "scaled", activation=RELU),
        node("LRN", "scaled", "local", size=5),
        node("AveragePool", "local", "pool", kernel_shape=(3, 3), pads=(1, 1, 1, 1)),
        node("InstanceNormalization", "pool s t", "instance"),
        node("ReduceMean", "instance axes", "y"),
        s=normal(18), t=normal(18), axes=np.array([1, 3]),
    )  # fmt: skip


def moves() -> Graph:
    return chain(
        (1, 8, 6, 10),
        node("Transpose", "x", "turned", perm=(0, 2, 3, 1)),
        node("Pad", "turned pads", "padded"),
        node("Slice", "padded starts ends axes steps", "sliced"),
        node("Concat", "sliced sliced", "y", axis=2),
        pads=np.array([0, 1, 0, 2, 0, 1, 3, 0]), starts=np.array([1, 8]), ends=np.array([7, 0]), axes=np.array([1, 3]),
        steps=np.array([2, -1]),
    )  # fmt: skip


def square() -> Graph:
    return chain(
        (1, 5, 10, 9),
        node("Conv", "x w b", "first", pads=(1, 1, 1, 1), activation=RELU),
        node("Conv", "first v b first", "second", pads=(1, 1, 1, 1), activation=Activation("tanh")),
        w=normal(17, 5, 3, 3), b=normal(17), v=normal(17, 17, 3, 3),
    )  # fmt: skip


def in_blocks() -> Graph:
    """What stays in the blocked layout behind a convolution."""
    return chain(
        (1, 3, 11, 13),
        node("Conv", "x w", "first", pads=(1, 1, 1, 1)),
        node("Conv", "first d", "depthwise", pads=(1, 1, 1, 1), strides=(2, 2), group=20),
        node("Conv", "first e", "dilated", pads=(2, 2, 2, 2), dilations=(2, 2), strides=(2, 2), group=20),
        node("Add", "depthwise dilated", "sum"),
        node("ScaleShift", "sum s t", "scaled"),
        node("MaxPool", "scaled", "pool", kernel_shape=(2, 2), strides=(1, 1)),
        node("Concat", "pool pool", "twice", axis=1),
        node("ChannelShuffle", "twice", "halves", group=2),
        node("ChannelShuffle", "halves", "quarters", group=4),
        node("Resize", "quarters - scales", "grown", mode="linear"),
        node("FakeQuantize", "grown step", "quantised"),
        node("GlobalMaxPool", "quantised", "y"),
        w=normal(20, 3, 3, 3), d=normal(20, 1, 3, 3), e=normal(20, 1, 3, 3), s=normal(20), t=normal(20),
        scales=np.array([1, 1, 2, 1.5], np.float32), step=np.float32(0.1),
    )  # fmt: skip


def grouped() -> Graph:
    """Groups of 2 and 4 channels, in a window of their own and in any."""
    return chain(
        (1, 3, 7, 9),
        node("Conv", "x w", "first", pads=(1, 1, 1, 1)),
        node("Conv", "first f b", "fours", pads=(1, 1, 1, 1), group=5, activation=RELU),
        node("Conv", "fours t - first", "twos", pads=(2, 2, 2, 2), dilations=(2, 2), group=10),
        w=normal(20, 3, 3, 3), f=normal(20, 4, 3, 3), b=normal(20), t=normal(20, 2, 3, 3),
    )  # fmt: skip


def integers() -> Graph:
    """What processors that multiply bytes do so: inputs that are plain and blocked, groups of one channel, matrices."""
    quantize = Activation("quantize", -128, 127)
    fields = {"pads": (1, 1, 1, 1), "activation": quantize}
    return chain(
        (2, 5, 8, 11),
        node("Clip", "x low high", "whole"),
        node("IntegerConv", "whole w b f", "strided", strides=(2, 2), **fields),
        node("IntegerConv", "strided d - f", "depthwise", group=40, **fields),
        node("IntegerConv", "depthwise p b f", "pointwise", scale=0.5, activation=quantize),
        node("GlobalMaxPool", "pointwise", "most"),
        node("Flatten", "most", "flat"),
        node("IntegerGemm", "flat m - half", "y", activation=quantize),
        w=whole(40, 5, 3, 3), b=whole(40), d=whole(40, 1, 3, 3), p=whole(40, 40, 1, 1), f=np.abs(normal(40)),
        m=whole(40, 141), half=np.float32([0.5]), low=np.float32(-128), high=np.float32(127),
    )  # fmt: skip


def whole(*shape: int) -> np.ndarray:
    return rng.integers(-128, 128, shape).astype(np.float32)


def pixels() -> Graph:
    """Few channels in long rows."""
    return chain(
        (2, 2, 8, 17),
        node("Conv", "x w b", "padded", pads=(1, 2, 1, 2), activation=RELU),
        node("Conv", "padded v - x", "sum", pads=(2, 0, 2, 0), dilations=(2, 1), activation=Activation("tanh")),
        w=normal(3, 2, 3, 5), b=normal(3), v=normal(2, 3, 3, 1),
    )  # fmt: skip


def upwards() -> Graph:
    return chain(
        (1, 6, 5, 7),
        node("ConvTranspose", "x w", "up", strides=(2, 3), pads=(1, 0, 0, 1)),
        node("Resize", "up - scales", "grown", mode="nearest"),
        node("Conv", "grown v", "narrow"),
        node("LayerNormalization", "narrow s t", "y"),
        w=normal(6, 5, 3, 2), v=normal(4, 5, 1, 1), s=normal(38), t=normal(38),
        scales=np.array([1, 1, 1.5, 2], np.float32),
    )  # fmt: skip


def products() -> Graph:
    return chain(
        (2, 33, 21),
        node("MatMul", "x w", "tall"),
        node("Transpose", "tall", "turned", perm=(0, 2, 1)),
        node("MatMul", "tall turned", "y"),
        w=normal(21, 19),
    )  # fmt: skip


def program(graph: Graph, algorithm: str = "", threads: int = THREADS, **algorithms: str) -> Program:
    """algorithm: of all convolutions; algorithms: of nodes by name."""
    return write(graph, Options(isa.current(), threads, {"": algorithm, **algorithms}), WeightStore())


def strided() -> Graph:
    return chain(
        (2, 3, 13, 10),
        node("Conv", "x w b", "y", strides=(2, 2), pads=(2, 2, 2, 2), activation=RELU),
        w=normal(20, 3, 5, 5), b=normal(20),
    )  # fmt: skip


def halves() -> Graph:
    """1x1 convolutions whose channels Strassen's algorithm can halve, the second strided, and halves of a vector."""
    return chain(
        (2, 32, 9, 7),
        node("Conv", "x w b", "first", activation=RELU),
        node("Conv", "first v", "second", strides=(2, 2)),
        node("Conv", "second u", "y", group=2),
        w=normal(64, 32, 1, 1), b=normal(64), v=normal(32, 64, 1, 1), u=normal(40, 16, 1, 1),
    )  # fmt: skip


PROGRAMS: dict[str, Callable[[], Program]] = {
    "direct": lambda: program(convolutions(), "direct"),
    "winograd_f2x3": lambda: program(square(), "winograd_f2x3"),
    "winograd_f4x3": lambda: program(square(), "winograd_f4x3"),
    "phases": lambda: program(strided(), "winograd_f4x3s2"),
    "im2col": lambda: program(convolutions(), "im2col"),
    "strassen": lambda: program(halves(), "strassen"),
    "depthwise": lambda: program(in_blocks(), "depthwise", quarters="gather"),
    "grouped": lambda: program(grouped(), "grouped"),
    "plain": lambda: program(pixels(), "plain"),
    "expanded": lambda: program(expanded()),
    "classifier": lambda: program(classifier()),
    "large": lambda: program(large(), y="dense"),
    "normalised": lambda: program(normalised()),
    "moves": lambda: program(moves()),
    "upwards": lambda: program(upwards()),
    "products": lambda: program(products()),
}
if isa.current().multiplies_bytes:
    PROGRAMS["integers"] = lambda: program(integers())
