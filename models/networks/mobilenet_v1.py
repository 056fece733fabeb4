"""MobileNet v1: each convolution split into one of 3x3 a channel and one of 1x1 across channels.

Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", arXiv:1704.04861,
Table 1; the width multiplier scales all channels (Table 6: 569, 325, 149 and 41 M multiply-adds with 4.2, 2.6, 1.3 and
0.5 M parameters), the resolution multiplier the input, which is `input_size` here (Table 7: 418, 290 and 186 M at 192,
160 and 128 pixels; the 290 are 290.66 M).
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value

# Channels and stride of the separable convolutions.
LAYERS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def mobilenet_v1(net: Builder, classes: int, width: float = 1.0) -> Value:
    x = net.conv_norm_relu(net.image, "conv1", int(32 * width), 3, stride=2, pad=1)
    for i, (channels, stride) in enumerate(LAYERS, 2):
        x = net.conv_norm_relu(x, f"conv{i}/depthwise", x.channels, 3, stride, pad=1, group=x.channels)
        x = net.conv_norm_relu(x, f"conv{i}/pointwise", int(channels * width))
    return net.linear(net.flatten(net.global_pool(x, "pool")), "fc", classes)


PAPER = "Howard et al., arXiv:1704.04861"
NETWORKS = tuple(
    Architecture(name, 2017, PAPER, mobilenet_v1, Published(parameters, macs, "the paper, Table 6"), {"width": width})
    for name, width, parameters, macs in (
        ("mobilenet_v1", 1.0, "4.2 M", "569 M"),
        ("mobilenet_v1_0.75", 0.75, "2.6 M", "325 M"),
        ("mobilenet_v1_0.5", 0.5, "1.3 M", "149 M"),
        ("mobilenet_v1_0.25", 0.25, "0.5 M", "41 M"),
    )
)
