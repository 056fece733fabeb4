"""Residual networks: each block adds to what it is given, so that a hundred layers can be trained.

He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385, Table 1, with projections where
sizes change (option B). In a bottleneck the stride is the first 1x1 convolution's, as in the authors' models, unless
`stride_at` is "3x3", as in torchvision. Parameters: torchvision, to the digit. Multiply-adds: Table 1 has 1.8, 3.6,
3.8, 7.6 and 11.3 G. Ours are 1.81, 3.66, 3.86, 7.57 and 11.28 G: Table 1 cuts 3.86 off, and 3.6 is ResNet-34 without
projections (option A: 3.64). So that is held to torchvision, and ResNet-50 to Sze et al., arXiv:1703.09039, Table II.
"""

from typing import Literal

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value

Place = Literal["1x1", "3x3"]


def resnet(
    net: Builder, classes: int, depths: tuple[int, ...], bottleneck: bool = True, width: int = 64, group: int = 1,
    stride_at: Place = "1x1",
) -> Value:  # fmt: skip
    """depths: blocks a stage. width: of the first stage's 3x3 convolutions, in all their groups; doubles each stage."""
    x = net.conv_norm_relu(net.image, "conv1", 64, 7, stride=2, pad=3)
    x = net.max_pool(x, "pool1", 3, stride=2, pad=1)
    for stage, depth in enumerate(depths):
        for i in range(depth):
            name, stride, inner = f"conv{stage + 2}_{i + 1}", 2 if stage and not i else 1, width << stage
            if bottleneck:
                y = narrow_branch(net, x, name, inner, 256 << stage, stride, group, stride_at)
            else:
                y = plain_branch(net, x, name, inner, stride)
            x = net.relu(net.add(y, shortcut(net, x, name, y.channels, stride), f"{name}/sum"), name)
    return net.linear(net.flatten(net.global_pool(x, "pool5")), "fc", classes)


def plain_branch(net: Builder, x: Value, name: str, channels: int, stride: int) -> Value:
    y = net.conv_norm_relu(x, f"{name}/3x3_1", channels, 3, stride, pad=1)
    return net.conv_norm(y, f"{name}/3x3_2", channels, 3, pad=1)


def narrow_branch(
    net: Builder, x: Value, name: str, inner: int, channels: int, stride: int, group: int, stride_at: Place
) -> Value:
    first, second = (stride, 1) if stride_at == "1x1" else (1, stride)
    y = net.conv_norm_relu(x, f"{name}/1x1_reduce", inner, stride=first)
    y = net.conv_norm_relu(y, f"{name}/3x3", inner, 3, second, pad=1, group=group)
    return net.conv_norm(y, f"{name}/1x1_expand", channels)


def shortcut(net: Builder, x: Value, name: str, channels: int, stride: int) -> Value:
    """x itself, or a projection where the branch changes the size."""
    if stride == 1 and x.channels == channels:
        return x
    return net.conv_norm(x, f"{name}/shortcut", channels, stride=stride)


PAPER = "He et al., arXiv:1512.03385"
NETWORKS = tuple(
    Architecture(
        f"resnet{depth}", 2015, PAPER, resnet, Published(parameters, macs, f"torchvision, models/resnet.py; {source}"),
        {"depths": depths, "bottleneck": depth >= 50},
    )
    for depth, depths, parameters, macs, source in (
        (18, (2, 2, 2, 2), "11,689,512", "1.8 G", "the paper, Table 1"),
        (34, (3, 4, 6, 3), "21,797,672", "3.664 G", "there"),
        (50, (3, 4, 6, 3), "25,557,032", "3.9 G", "Sze et al., arXiv:1703.09039, Table II"),
        (101, (3, 4, 23, 3), "44,549,160", "7.6 G", "the paper, Table 1"),
        (152, (3, 8, 36, 3), "60,192,808", "11.3 G", "the paper, Table 1"),
    )
)  # fmt: skip
