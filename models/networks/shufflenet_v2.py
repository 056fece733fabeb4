"""ShuffleNet v2: half of the channels pass by, the other half are convolved, and both are shuffled.

Ma, Zhang, Zheng, Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture design", arXiv:1807.11164,
Table 5 and Figure 3c and d: 1.4, 2.3, 3.5 and 7.4 M parameters with 41, 146, 299 and 591 M multiply-adds for 0.5, 1,
1.5 and 2 times the channels. The digits are torchvision's. Its multiply-adds are about 1 % less than the paper's,
which does not say what else it counts.
"""

from tinycnn.errors import OptionError
from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value

# Channels of stages 2 to 4 and of conv5.
CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


def shufflenet_v2(net: Builder, classes: int, width: float = 1.0) -> Value:
    if width not in CHANNELS:
        raise OptionError(f"{net.name}: width is {width}, it must be one of {', '.join(map(str, CHANNELS))}")
    *stages, last = CHANNELS[width]
    x = net.conv_norm_relu(net.image, "conv1", 24, 3, stride=2, pad=1)
    x = net.max_pool(x, "pool1", 3, stride=2, pad=1)
    for stage, (count, channels) in enumerate(zip((4, 8, 4), stages, strict=True), 2):
        x = wide_unit(net, x, f"stage{stage}_1", channels // 2)
        for i in range(2, count + 1):
            x = unit(net, x, f"stage{stage}_{i}", channels // 2)
    x = net.conv_norm_relu(x, "conv5", last)
    return net.linear(net.flatten(net.global_pool(x, "pool5")), "fc", classes)


def unit(net: Builder, x: Value, name: str, half: int) -> Value:
    """Figure 3c: half of the channels are passed on."""
    left, right = net.halves(x, f"{name}/split")
    return net.shuffle(net.concat([left, branch(net, right, name, half, 1)], f"{name}/both"), name, 2)


def wide_unit(net: Builder, x: Value, name: str, half: int) -> Value:
    """Figure 3d: maps are halved, and both branches read all channels."""
    left = net.conv_norm(x, f"{name}/left_depthwise", x.channels, 3, 2, pad=1, group=x.channels)
    left = net.conv_norm_relu(left, f"{name}/left_1x1", half)
    return net.shuffle(net.concat([left, branch(net, x, name, half, 2)], f"{name}/both"), name, 2)


def branch(net: Builder, x: Value, name: str, channels: int, stride: int) -> Value:
    x = net.conv_norm_relu(x, f"{name}/1x1_1", channels)
    x = net.conv_norm(x, f"{name}/depthwise", channels, 3, stride, pad=1, group=channels)
    return net.conv_norm_relu(x, f"{name}/1x1_2", channels)


PAPER = "Ma et al., arXiv:1807.11164"
NETWORKS = tuple(
    Architecture(
        f"shufflenet_v2_{width}", 2018, PAPER, shufflenet_v2,
        Published(parameters, macs, "torchvision, models/shufflenetv2.py"), {"width": width},
    )
    for width, parameters, macs in (
        (0.5, "1,366,792", "0.04 G"),
        (1.0, "2,278,604", "0.145 G"),
        (1.5, "3,503,624", "0.296 G"),
        (2.0, "7,393,996", "0.583 G"),
    )
)  # fmt: skip
