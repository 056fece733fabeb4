"""Densely connected networks: every layer of a block reads the outputs of all layers before it.

Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", arXiv:1608.06993, Table 1: growth
rate 32, bottlenecks of 1x1 to four times that, transitions that halve the channels. The paper plots its counts only
(Figure 3); the digits are torchvision's. DenseNet-264, which torchvision has not, is 265 layers deep by Table 1.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value


def densenet(net: Builder, classes: int, depths: tuple[int, ...], growth: int = 32) -> Value:
    """depths: layers a block."""
    x = net.conv_norm_relu(net.image, "conv1", 2 * growth, 7, stride=2, pad=3)
    x = net.max_pool(x, "pool1", 3, stride=2, pad=1)
    for b, depth in enumerate(depths, 1):
        for i in range(1, depth + 1):
            name = f"dense{b}_{i}"
            y = norm_relu_conv(net, x, f"{name}/1x1", 4 * growth, 1)
            y = norm_relu_conv(net, y, f"{name}/3x3", growth, 3)
            x = net.concat([x, y], name)
        if b < len(depths):
            x = norm_relu_conv(net, x, f"transition{b}", x.channels // 2, 1)
            x = net.average_pool(x, f"transition{b}/pool", 2)
    x = net.relu(net.norm(x, "norm5"), "relu5")
    return net.linear(net.flatten(net.global_pool(x, "pool5")), "fc", classes)


def norm_relu_conv(net: Builder, x: Value, name: str, channels: int, kernel: int) -> Value:
    ready = net.relu(net.norm(x, f"{name}/norm"), f"{name}/relu")
    return net.conv(ready, name, channels, kernel, pad=kernel // 2, bias=False)


PAPER = "Huang et al., arXiv:1608.06993"
SOURCE = "torchvision, models/densenet.py"
NETWORKS = tuple(
    Architecture(f"densenet{depth}", 2016, PAPER, densenet, Published(parameters, macs, source), {"depths": depths})
    for depth, depths, parameters, macs, source in (
        (121, (6, 12, 24, 16), "7,978,856", "2.834 G", SOURCE),
        (169, (6, 12, 32, 32), "14,149,480", "3.36 G", SOURCE),
        (201, (6, 12, 48, 32), "20,013,928", "4.291 G", SOURCE),
        (264, (6, 12, 64, 48), "33,337,704", "", "lucid, docs/models/densenet_264"),
    )
)
