"""SqueezeNet: AlexNet's accuracy with a fiftieth of its parameters, by squeezing channels before they are expanded.

Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters",
arXiv:1602.07360, Table 1: 1,248,424 parameters, and maps of 111, 55, 27 and 13, for which the 224 pixels that it names
must be 227, as in the authors' definition. Multiply-adds are torchvision's, for 224 pixels. (The authors' README tells
1.72 GFLOPS an image, two for each multiply-add: that fits a conv10 padded to maps of 15, where Table 1 has 13.) Version
1.1, of the same README, has a smaller first layer and pools earlier.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value


def squeezenet(net: Builder, classes: int, first: tuple[int, int], pools: tuple[int, ...]) -> Value:
    """first: channels and kernel of conv1. pools: the layers after which maps are halved."""
    x = net.conv_relu(net.image, "conv1", *first, stride=2)
    for i in range(1, 10):
        if i > 1:
            x = fire(net, x, f"fire{i}", 16 * (i // 2), 64 * (i // 2))
        if i in pools:
            x = net.max_pool(x, f"pool{i}", 3, stride=2, round_up=True)
    x = net.conv_relu(net.dropout(x, "drop9"), "conv10", classes)
    return net.flatten(net.global_pool(x, "pool10"), "scores")


def fire(net: Builder, x: Value, name: str, squeezed: int, expanded: int) -> Value:
    """Figure 1: few 1x1 filters, whose output many of 1x1 and of 3x3 read side by side."""
    x = net.conv_relu(x, f"{name}/squeeze1x1", squeezed)
    one = net.conv_relu(x, f"{name}/expand1x1", expanded)
    three = net.conv_relu(x, f"{name}/expand3x3", expanded, 3, pad=1)
    return net.concat([one, three], name)


PAPER = "Iandola et al., arXiv:1602.07360"
NETWORKS = (
    Architecture(
        "squeezenet1.0", 2016, PAPER, squeezenet,
        Published(
            "1,248,424", "0.819 G", "the paper, Table 1; torchvision, models/squeezenet.py", {"input_size": 224}
        ),
        {"first": (96, 7), "pools": (1, 4, 8)}, input=(3, 227, 227),
    ),
    Architecture(
        "squeezenet1.1", 2016, PAPER, squeezenet,
        Published("1,235,496", "0.349 G", "torchvision, models/squeezenet.py"), {"first": (64, 3), "pools": (1, 3, 5)},
    ),
)  # fmt: skip
