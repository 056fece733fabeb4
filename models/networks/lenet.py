"""LeNet-5: convolution, subsampling, and a bend, by which handwriting was read.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86(11), 1998,
section II.B. "LeNet-5 contains 340,908 connections, but only 60,000 trainable free parameters because of the weight
sharing." A connection is a multiply-add, or a bias or a summand of a subsampling at one place; 326,520 of them are
multiply-adds. Table I says which of the six maps of S2 each of the sixteen maps of C3 reads.
"""

from itertools import groupby

import numpy as np

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value
from tinycnn.ops.add import Add
from tinycnn.ops.cast import Cast
from tinycnn.ops.gather import Gather
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.mul import Mul
from tinycnn.ops.tanh import Tanh

TABLE_I = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 0), (5, 0, 1),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (3, 4, 5, 0), (4, 5, 0, 1), (5, 0, 1, 2),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip
FLOAT = 1  # ONNX's number for f32


def lenet5(net: Builder, classes: int) -> Value:
    x = squash(net, net.conv(net.image, "c1", 6, 5))
    x = squash(net, subsample(net, x, "s2"))
    x = squash(net, sparse(net, x, "c3", 5))
    x = squash(net, subsample(net, x, "s4"))
    x = squash(net, net.conv(x, "c5", 120, 5))
    x = squash(net, net.linear(net.flatten(x), "f6", 84))
    return codes(net, x, "output", classes)


def squash(net: Builder, x: Value) -> Value:
    """1.7159 tanh(2/3 x)"""
    inner = net.layer(Mul(), f"{x.name}/inner", x, net.constant(f"{x.name}/slope", np.array(2 / 3, np.float32)))
    bent = net.layer(Tanh(), f"{x.name}/tanh", inner)
    return net.layer(Mul(), f"{x.name}/squash", bent, net.constant(f"{x.name}/amplitude", np.array(1.7159, np.float32)))


def subsample(net: Builder, x: Value, name: str) -> Value:
    """The mean of each 2x2 window, times a coefficient and plus a bias that each map has."""
    shape = (x.channels, 1, 1)
    coefficient = net.constant(f"{name}/coefficient", net.draws.uniform(f"{name}/coefficient", shape, 0.75, 1.25))
    bias = net.constant(f"{name}/bias", net.draws.normal(f"{name}/bias", shape, 0.1))
    scaled = net.layer(Mul(), f"{name}/scaled", net.average_pool(x, f"{name}/mean", 2), coefficient)
    return net.layer(Add(), name, scaled, bias)


def sparse(net: Builder, x: Value, name: str, kernel: int) -> Value:
    """A convolution whose maps read the maps of x that Table I gives them: rows of one length are groups."""
    parts: list[Value] = []
    for size, group in groupby(TABLE_I, len):
        rows = list(group)
        part = f"{name}/{len(parts) + 1}"
        maps = np.array(rows).reshape(-1)
        read = x
        if size < x.channels:
            names = net.constant(f"{part}/maps", maps)
            read = net.layer(Gather(axis=1), f"{part}/read", x, names, moments=x.moments.at(maps))
        parts.append(net.conv(read, part, len(rows), kernel, group=len(rows)))
    return net.concat(parts, name)


def codes(net: Builder, x: Value, name: str, classes: int) -> Value:
    """The product with each class's fixed code of +1 and -1, least where the paper's distance |x - code|² is greatest:
    that is |x|² + 84 - 2 x·code, where only the last term differs between classes. The codes are drawn here; those of
    the paper are pictures of the characters.
    """
    signs = np.sign(net.draws.normal(f"{name}/codes", (x.channels, classes), 1.0)).astype(np.int8)
    numbers = net.layer(Cast(to=FLOAT), f"{name}/numbers", net.constant(f"{name}/codes", signs), moments=x.moments)
    return net.layer(MatMul(), name, x, numbers)


NETWORKS = (
    Architecture(
        "lenet5", 1998, "LeCun et al., Proc. IEEE 86(11)", lenet5,
        Published(
            "60,000", "340,908", "the paper, section II.B",
            note="the paper counts connections: biases and subsamplings beside 326,520 multiply-adds",
        ), input=(1, 32, 32), classes=10,
    ),
)  # fmt: skip
