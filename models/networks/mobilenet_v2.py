"""MobileNet v2: residual blocks turned inside out, wide within and narrow where they add, without a bend at the end.

Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: inverted residuals and linear bottlenecks", arXiv:1801.04381,
Table 2; the width multiplier scales all channels, but the last layer's only above 1 (section 5). Table 4 has 3.4 M
parameters and 300 M multiply-adds for a width of 1: torchvision has the digits. The other widths are held to the
authors' published networks, as Keras lists them: there 1.4 has 582 M multiply-adds and 6.06 M parameters, without those
of normalisations, while Table 4 says 585 M and 6.9 M.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value

# Table 2: expansion t, channels c, blocks n, stride s of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(net: Builder, classes: int, width: float = 1.0) -> Value:
    x = net.relu6(net.conv_norm(net.image, "conv1", eights(32 * width), 3, stride=2, pad=1))
    for stage, (expansion, channels, count, stride) in enumerate(STAGES, 2):
        for i in range(count):
            x = bottleneck(net, x, f"conv{stage}_{i + 1}", expansion, eights(channels * width), 1 if i else stride)
    x = net.relu6(net.conv_norm(x, "conv9", eights(1280 * max(width, 1.0))))
    return net.linear(net.dropout(net.flatten(net.global_pool(x, "pool")), "drop", 0.2), "fc", classes)


def bottleneck(net: Builder, x: Value, name: str, expansion: int, channels: int, stride: int) -> Value:
    y, inner = x, x.channels * expansion
    if expansion > 1:
        y = net.relu6(net.conv_norm(y, f"{name}/expand", inner))
    y = net.relu6(net.conv_norm(y, f"{name}/depthwise", inner, 3, stride, pad=1, group=inner))
    y = net.conv_norm(y, f"{name}/project", channels)
    return net.add(y, x, name) if stride == 1 and x.channels == channels else y


def eights(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and no more than a tenth less."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


PAPER = "Sandler et al., arXiv:1801.04381"
NETWORKS = (
    Architecture(
        "mobilenet_v2", 2018, PAPER, mobilenet_v2,
        Published("3,504,872", "0.301 G", "torchvision, models/mobilenetv2.py"),
    ),
    *(
        Architecture(
            f"mobilenet_v2_{width}", 2018, PAPER, mobilenet_v2,
            Published(parameters, macs, "Keras, applications/mobilenet_v2.py", without=("BatchNormalization",)),
            {"width": width},
        )
        for width, parameters, macs in (
            (1.4, "6.06 M", "582 M"),
            (0.75, "2.61 M", "209 M"),
            (0.5, "1.95 M", "97 M"),
            (0.35, "1.66 M", "59 M"),
        )
    ),
)  # fmt: skip
