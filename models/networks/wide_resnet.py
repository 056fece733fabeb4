"""Wide residual networks: fewer layers, more channels.

Zagoruyko, Komodakis, "Wide residual networks", arXiv:1605.07146, Table 1. WRN-n-k has (n - 4) / 6 blocks a stage that
normalise before they convolve, k times as wide as He et al.'s; n counts the three projections, too. Parameters: 11.0 M
for WRN-16-8 and 36.5 M for WRN-28-10 (Table 4), 68.9 M for WRN-50-2 (Table 8), which is a ResNet-50 with 3x3
convolutions twice as wide: torchvision's to the digit. The paper times its networks; it counts no multiply-adds.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value
from tinycnn.models.networks.resnet import resnet


def wide_resnet(net: Builder, classes: int, depth: int, width: int, dropout: float = 0.0) -> Value:
    """dropout: its ratio between the two convolutions of a block, where the network was trained with it."""
    x = net.conv(net.image, "conv1", 16, 3, pad=1, bias=False)
    for stage in range(3):
        for i in range((depth - 4) // 6):
            x = block(net, x, f"conv{stage + 2}_{i + 1}", 16 * width << stage, 2 if stage and not i else 1, dropout)
    x = net.relu(net.norm(x, "norm"), "relu")
    return net.linear(net.flatten(net.global_pool(x, "pool")), "fc", classes)


def block(net: Builder, x: Value, name: str, channels: int, stride: int, dropout: float) -> Value:
    """x + conv(relu(norm(conv(relu(norm(x)))))): Figure 1b and d."""
    ready = net.relu(net.norm(x, f"{name}/norm1"), f"{name}/relu1")
    y = net.conv(ready, f"{name}/3x3_1", channels, 3, stride, pad=1, bias=False)
    y = net.relu(net.norm(y, f"{name}/norm2"), f"{name}/relu2")
    if dropout:
        y = net.dropout(y, f"{name}/drop", dropout)
    y = net.conv(y, f"{name}/3x3_2", channels, 3, pad=1, bias=False)
    if stride > 1 or x.channels != channels:
        x = net.conv(ready, f"{name}/shortcut", channels, stride=stride, bias=False)
    return net.add(y, x, name)


PAPER = "Zagoruyko and Komodakis, arXiv:1605.07146"
NETWORKS = (
    Architecture(
        "wrn_16_8", 2016, PAPER, wide_resnet, Published("11.0 M", "", "the paper, Table 4"),
        {"depth": 16, "width": 8}, input=(3, 32, 32), classes=10,
    ),
    Architecture(
        "wrn_28_10", 2016, PAPER, wide_resnet, Published("36.5 M", "", "the paper, Table 4"),
        {"depth": 28, "width": 10}, input=(3, 32, 32), classes=10,
    ),
    Architecture(
        "wrn_50_2", 2016, PAPER, resnet, Published("68,883,240", "11.398 G", "torchvision, models/resnet.py"),
        {"depths": (3, 4, 6, 3), "width": 128, "stride_at": "3x3"},
    ),
)  # fmt: skip
