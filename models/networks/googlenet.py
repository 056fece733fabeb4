"""GoogLeNet: nine inception modules of 1x1, 3x3 and 5x5 convolutions side by side, and no large layers.

Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842, Table 1 and Figures 2 and 3. The two classifiers at
the side serve training only. 22 layers with parameters; 7.0 M parameters in Sze et al., arXiv:1703.09039, Table II.

Multiply-adds have three published values. The paper's "1.5 billion" is the sum of Table 1, where conv1 has 34 M for
the 118 M that its sizes give; with these the sum is 1.58 G, which is counted here. The 1.43 G of Sze et al. are for
pools that round down, to maps of 55, 27, 13 and 6 where Table 1 has 56, 28, 14 and 7: `round_up=False` has them.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value

# Table 1: channels of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(net: Builder, classes: int, naive: bool = False, round_up: bool = True) -> Value:
    """naive: modules without the reducing 1x1 convolutions, whose channels grow with each (Figure 2a)."""
    x = net.conv_relu(net.image, "conv1", 64, 7, stride=2, pad=3)
    x = response_norm(net, net.max_pool(x, "pool1", 3, stride=2, round_up=round_up), "norm1")
    x = net.conv_relu(net.conv_relu(x, "conv2/3x3_reduce", 64), "conv2/3x3", 192, 3, pad=1)
    x = net.max_pool(response_norm(net, x, "norm2"), "pool2", 3, stride=2, round_up=round_up)
    for module, (c1, reduce3, c3, reduce5, c5, projection) in MODULES.items():
        name = f"inception_{module}"
        if naive:
            x = naive_inception(net, x, name, c1, c3, c5)
        else:
            x = inception(net, x, name, c1, reduce3, c3, reduce5, c5, projection)
        if module in ("3b", "4e"):
            x = net.max_pool(x, f"pool{module[0]}", 3, stride=2, round_up=round_up)
    x = net.flatten(net.global_pool(x, "pool5"))
    return net.linear(net.dropout(x, "drop5", 0.4), "fc", classes)


def inception(
    net: Builder, x: Value, name: str, c1: int, reduce3: int, c3: int, reduce5: int, c5: int, projection: int
) -> Value:
    """Figure 2b: 1x1 convolutions make the channels fewer before the costly ones, and after the pool."""
    fewer3 = net.conv_relu(x, f"{name}/3x3_reduce", reduce3)
    fewer5 = net.conv_relu(x, f"{name}/5x5_reduce", reduce5)
    branches = [
        net.conv_relu(x, f"{name}/1x1", c1),
        net.conv_relu(fewer3, f"{name}/3x3", c3, 3, pad=1),
        net.conv_relu(fewer5, f"{name}/5x5", c5, 5, pad=2),
        net.conv_relu(net.max_pool(x, f"{name}/pool", 3, stride=1, pad=1), f"{name}/pool_project", projection),
    ]
    return net.concat(branches, name)


def naive_inception(net: Builder, x: Value, name: str, c1: int, c3: int, c5: int) -> Value:
    """Figure 2a: 28x28x256 with 128, 192 and 96 becomes 28x28x672, as the pool keeps every channel."""
    branches = [
        net.conv_relu(x, f"{name}/1x1", c1),
        net.conv_relu(x, f"{name}/3x3", c3, 3, pad=1),
        net.conv_relu(x, f"{name}/5x5", c5, 5, pad=2),
        net.max_pool(x, f"{name}/pool", 3, stride=1, pad=1),
    ]
    return net.concat(branches, name)


def response_norm(net: Builder, x: Value, name: str) -> Value:
    """As in Caffe's definition; the paper does not give the constants."""
    return net.lrn(x, name, size=5, alpha=1e-4, beta=0.75, bias=1.0)


PAPER = "Szegedy et al., arXiv:1409.4842"
NETWORKS = (
    Architecture(
        "googlenet", 2014, PAPER, googlenet,
        Published(
            "7.0 M", "1.43 G", "Sze et al., arXiv:1703.09039, Table II", {"round_up": False},
            note="counted there for pools that round down; the paper's sizes make 1.58 G",
        ),
    ),
    Architecture(
        "googlenet_naive", 2014, PAPER, googlenet,
        Published(note="not published: Figure 2a, to be compared"), {"naive": True},
    ),
)  # fmt: skip
