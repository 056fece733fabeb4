"""ShuffleNet v1: grouped 1x1 convolutions, and channels dealt out anew so that groups hear of each other.

Zhang, Zhou, Lin, Sun, "ShuffleNet: an extremely efficient convolutional neural network for mobile devices",
arXiv:1707.01083, Table 1: 143, 140, 137, 133 and 137 M multiply-adds for 1, 2, 3, 4 and 8 groups: to the digit what
all layers but the last have. The first 1x1 convolution of stage 2 is not grouped, as its input has only 24 channels.
The paper does not count parameters.
"""

from tinycnn.errors import OptionError
from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value

CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # groups -> channels of stage 2; they double each stage


def shufflenet_v1(net: Builder, classes: int, groups: int = 3) -> Value:
    if groups not in CHANNELS:
        raise OptionError(f"{net.name}: groups is {groups}, it must be one of {', '.join(map(str, CHANNELS))}")
    x = net.conv_norm_relu(net.image, "conv1", 24, 3, stride=2, pad=1)
    x = net.max_pool(x, "pool1", 3, stride=2, pad=1)
    for stage, count in enumerate((4, 8, 4)):
        for i in range(count):
            first = 1 if stage == i == 0 else groups
            x = unit(net, x, f"stage{stage + 2}_{i + 1}", CHANNELS[groups] << stage, 1 if i else 2, groups, first)
    return net.linear(net.flatten(net.global_pool(x, "pool5")), "fc", classes)


def unit(net: Builder, x: Value, name: str, channels: int, stride: int, groups: int, first: int) -> Value:
    """Figure 2b and c: the branch is added, or, where maps are halved, put beside the pooled input.

    first: groups of the first 1x1 convolution.
    """
    inner = channels // 4
    added = channels - (x.channels if stride == 2 else 0)
    y = net.conv_norm_relu(x, f"{name}/1x1_reduce", inner, group=first)
    y = net.shuffle(y, f"{name}/shuffle", groups)
    y = net.conv_norm(y, f"{name}/depthwise", inner, 3, stride, pad=1, group=inner)
    y = net.conv_norm(y, f"{name}/1x1_expand", added, group=groups)
    if stride == 2:
        pooled = net.average_pool(x, f"{name}/pool", 3, stride=2, pad=1)
        return net.relu(net.concat([pooled, y], f"{name}/both"), name)
    return net.relu(net.add(x, y, f"{name}/sum"), name)


PAPER = "Zhang et al., arXiv:1707.01083"
NETWORKS = tuple(
    Architecture(
        f"shufflenet_v1_g{groups}", 2017, PAPER, shufflenet_v1,
        Published("", macs, "the paper, Table 1", without=("Gemm",)), {"groups": groups},
    )
    for groups, macs in ((1, "143 M"), (2, "140 M"), (3, "137 M"), (4, "133 M"), (8, "137 M"))
)  # fmt: skip
