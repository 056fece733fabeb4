"""Networks written layer by layer: every call adds one, draws its weights and infers its shape at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import Graph, Node, TensorSpec, verify
from tinycnn.models.initialisation import Draws, Moments, Shape
from tinycnn.ops import Op
from tinycnn.ops.add import Add
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.batch_normalization import BatchNormalization
from tinycnn.ops.clip import Clip
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.dropout import Dropout
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.global_average_pool import GlobalAveragePool
from tinycnn.ops.lrn import LRN
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.mean import Mean
from tinycnn.ops.relu import Relu
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.split import Split
from tinycnn.ops.transpose import Transpose


@dataclass(frozen=True)
class Value:
    """What a layer computes: its name, its spec for a batch of one, and the moments to expect of its channels."""

    name: str
    spec: TensorSpec
    moments: Moments

    @property
    def channels(self) -> int:
        return self.spec.dims[1]


class Builder:
    """A network under construction.

    A layer's name is its node's and its output's; its weights are named `{layer}/weight` and so on. Shapes are inferred
    for a batch of one, while the batch of the graph stays symbolic. Kernels, strides and pads are square.

    Weights of convolutions and linear layers are He-initialised: normal with variance 2 / fan-in. Biases are small, so
    that none can get lost unnoticed. A batch normalisation has the statistics that the weights before it lead to expect
    of each channel, give or take a quarter: activations keep their size through any number of layers.

    name   of the network, for the graph and for errors
    shape  channels, height and width of its input "image", f32 [batch, c, h, w]
    seed   at least 0; None: weights are zeros that take no memory

    Every layer raises ShapeError where it runs out of pixels, or where the numbers do not fit together; it names the
    layer. Source of the initialisation: He et al., arXiv:1502.01852, section 2.2.
    """

    def __init__(self, name: str, shape: tuple[int, int, int], seed: int | None = 0):
        self.name = name
        self.image = Value("image", TensorSpec.f32(1, *shape), Moments.standard(shape[0]))
        self.draws = Draws(seed)
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}

    def graph(self, *outputs: Value) -> Graph:
        """The network that computes these values."""
        specs = {x.name: TensorSpec.f32("batch", *x.spec.dims[1:]) for x in (self.image, *outputs)}
        names = tuple(x.name for x in outputs)
        inputs = {self.image.name: specs.pop(self.image.name)}
        return verify(Graph(inputs, names, tuple(self.nodes), self.constants, specs, name=self.name), "building")

    def constant(self, name: str, array: np.ndarray) -> str:
        array.flags.writeable = False
        self.constants[name] = array
        return name

    def layer(self, op: Op, name: str, *inputs: Value | str, moments: Moments | None = None) -> Value:
        """An operator's first output, of values and constants; moments default to those of the first value."""
        spec, *_ = self.add_node(op, name, inputs, (name,))
        return Value(name, spec, moments or next(x.moments for x in inputs if isinstance(x, Value)))

    def add_node(
        self, op: Op, name: str, inputs: Sequence[Value | str], outputs: tuple[str, ...]
    ) -> tuple[TensorSpec, ...]:
        arrays = [self.constants[x] if isinstance(x, str) else None for x in inputs]
        specs = [x.spec if isinstance(x, Value) else TensorSpec.of(self.constants[x]) for x in inputs]
        try:
            inferred = op.infer(specs, arrays)
        except ShapeError as error:
            raise ShapeError(f"{self.name}: layer {name!r}: {error}") from None
        assert inferred is not None
        self.nodes.append(Node(op, tuple(x if isinstance(x, str) else x.name for x in inputs), outputs, name))
        return inferred

    def check_window(self, x: Value, name: str, kernel: int, pad: int) -> None:
        _, _, h, w = x.spec.dims
        if min(h, w) + 2 * pad < kernel:
            height, width = self.image.spec.dims[2:]
            raise ShapeError(
                f"{self.name}: an input of {height}x{width} is too small: layer {name!r} runs out of pixels, as its "
                f"{kernel}x{kernel} window does not fit into {h}x{w}{f' padded by {pad}' if pad else ''}"
            )

    def conv(
        self, x: Value, name: str, channels: int, kernel: int = 1, stride: int = 1, pad: int = 0, group: int = 1,
        bias: bool = True,
    ) -> Value:  # fmt: skip
        self.check_window(x, name, kernel, pad)
        weights = self.weights(name, (channels, x.channels // max(group, 1), kernel, kernel), bias)
        op = Conv(strides=(stride, stride), pads=(pad,) * 4, group=group)
        y = self.layer(op, name, x, *weights, moments=Moments.standard(channels))
        if self.draws.seed is None:
            return y
        return replace(y, moments=x.moments.convolved(self.constants[weights[0]], group))

    def linear(self, x: Value, name: str, features: int) -> Value:
        """A fully connected layer of x [1, k]."""
        weights = self.weights(name, (features, x.channels))
        moments = Moments(np.zeros(features), np.full(features, 2 * x.moments.square.mean()))
        return self.layer(Gemm(transB=1), name, x, *weights, moments=moments)

    def weights(self, name: str, shape: Shape, bias: bool = True) -> list[str]:
        if min(shape) < 1:
            raise ShapeError(f"{self.name}: layer {name!r} would have weights of {'x'.join(map(str, shape))}")
        fan_in = int(np.prod(shape[1:]))
        drawn = {f"{name}/weight": self.draws.normal(f"{name}/weight", shape, (2 / fan_in) ** 0.5)}
        if bias:
            drawn[f"{name}/bias"] = self.draws.normal(f"{name}/bias", shape[:1], 0.1)
        return [self.constant(key, array) for key, array in drawn.items()]

    def norm(self, x: Value, name: str = "") -> Value:
        """Batch normalisation, by default named `{x}/norm`. Its variance is the mean square to expect: with less, what
        one layer misjudges would grow from layer to layer.
        """
        name, c, draws, moments = name or f"{x.name}/norm", (x.channels,), self.draws, x.moments
        scale = draws.uniform(f"{name}/scale", c, 0.75, 1.25)
        shift = draws.normal(f"{name}/shift", c, 0.1)
        mean = moments.mean + np.sqrt(moments.variance) * draws.normal(f"{name}/mean", c, 0.1)
        variance = moments.square * draws.uniform(f"{name}/variance", c, 0.75, 1.25)
        roles = {"scale": scale, "shift": shift, "mean": mean, "variance": variance}
        constants = [self.constant(f"{name}/{role}", array.astype(np.float32)) for role, array in roles.items()]
        op = BatchNormalization()
        factor = scale / np.sqrt(variance + op.epsilon)
        return self.layer(op, name, x, *constants, moments=moments.scaled(factor, shift - factor * mean))

    def relu(self, x: Value, name: str = "") -> Value:
        """By default named `{x}/relu`, whether x is normalised or not."""
        name = name or f"{x.name.removesuffix('/norm')}/relu"
        return self.layer(Relu(), name, x, moments=x.moments.rectified())

    def relu6(self, x: Value) -> Value:
        """min(max(x, 0), 6), named as a relu is."""
        bounds = [self.constant(key, np.array(bound, np.float32)) for key, bound in (("zero", 0), ("six", 6))]
        name = f"{x.name.removesuffix('/norm')}/relu6"
        return self.layer(Clip(), name, x, *bounds, moments=x.moments.rectified())

    def conv_relu(
        self, x: Value, name: str, channels: int, kernel: int = 1, stride: int = 1, pad: int = 0, group: int = 1
    ) -> Value:
        return self.relu(self.conv(x, name, channels, kernel, stride, pad, group))

    def conv_norm(
        self, x: Value, name: str, channels: int, kernel: int = 1, stride: int = 1, pad: int = 0, group: int = 1
    ) -> Value:
        """A convolution without bias, which the batch normalisation after it has."""
        return self.norm(self.conv(x, name, channels, kernel, stride, pad, group, bias=False))

    def conv_norm_relu(
        self, x: Value, name: str, channels: int, kernel: int = 1, stride: int = 1, pad: int = 0, group: int = 1
    ) -> Value:
        return self.relu(self.conv_norm(x, name, channels, kernel, stride, pad, group))

    def max_pool(
        self, x: Value, name: str, kernel: int, stride: int = 0, pad: int = 0, round_up: bool = False
    ) -> Value:
        """stride 0: as the kernel. round_up: a last window may reach beyond the input."""
        self.check_window(x, name, kernel, pad)
        steps = (stride or kernel,) * 2
        op = MaxPool((kernel, kernel), steps, (pad,) * 4, ceil_mode=int(round_up))
        return self.layer(op, name, x, moments=x.moments.greatest(kernel**2))

    def average_pool(
        self, x: Value, name: str, kernel: int, stride: int = 0, pad: int = 0, round_up: bool = False
    ) -> Value:
        """The mean of what is inside the input; stride and round_up as for max_pool."""
        self.check_window(x, name, kernel, pad)
        steps = (stride or kernel,) * 2
        return self.layer(AveragePool((kernel, kernel), steps, (pad,) * 4, ceil_mode=int(round_up)), name, x)

    def global_pool(self, x: Value, name: str) -> Value:
        """The mean of each channel."""
        return self.layer(GlobalAveragePool(), name, x)

    def lrn(self, x: Value, name: str, size: int, alpha: float, beta: float, bias: float) -> Value:
        return self.layer(LRN(size, alpha, beta, bias), name, x)

    def flatten(self, x: Value, name: str = "flatten") -> Value:
        each = np.repeat(np.arange(x.channels), x.spec.size // x.channels)
        return self.layer(Flatten(), name, x, moments=x.moments.at(each))

    def dropout(self, x: Value, name: str, ratio: float = 0.5) -> Value:
        """Nothing at inference: it says where training dropped out, and how much."""
        return self.layer(Dropout(), name, x, self.constant(f"{name}/ratio", np.array(ratio, np.float32)))

    def add(self, a: Value, b: Value, name: str) -> Value:
        return self.layer(Add(), name, a, b, moments=Moments.of_sum([a.moments, b.moments]))

    def mean(self, values: Sequence[Value], name: str) -> Value:
        moments = Moments.of_sum([x.moments for x in values]).scaled(1 / len(values))
        return self.layer(Mean(), name, *values, moments=moments)

    def concat(self, values: Sequence[Value], name: str) -> Value:
        """Side by side along the channels."""
        return self.layer(Concat(axis=1), name, *values, moments=Moments.side_by_side([x.moments for x in values]))

    def halves(self, x: Value, name: str) -> tuple[Value, Value]:
        """The first half of the channels and the second, `{name}/left` and `{name}/right`."""
        names = (f"{name}/left", f"{name}/right")
        left, right = self.add_node(Split(axis=1, num_outputs=2), name, (x,), names)
        half = left.dims[1]
        return (
            Value(names[0], left, x.moments.at(slice(half))), Value(names[1], right, x.moments.at(slice(half, None)))
        )  # fmt: skip

    def shuffle(self, x: Value, name: str, groups: int) -> Value:
        """Channel i of group j becomes channel j of group i."""
        _, c, h, w = x.spec.dims
        table = self.constant(f"{name}/table", np.array([0, groups, c // groups, h, w]))
        split = self.layer(Reshape(), f"{name}/split", x, table)
        swapped = self.layer(Transpose((0, 2, 1, 3, 4)), f"{name}/swap", split)
        order = np.arange(c).reshape(groups, -1).T.reshape(-1)
        shape = self.constant(f"{name}/shape", np.array([0, c, h, w]))
        return self.layer(Reshape(), name, swapped, shape, moments=x.moments.at(order))
