"""VGG: nothing but 3x3 convolutions, two or more in a row, and halved maps.

Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", arXiv:1409.1556, Table 1,
columns A, B, D and E. Three 3x3 layers see as far as one of 7x7, with 27 C² weights for 49 C². Parameters: Table 2
has 133, 133, 138 and 144 M, torchvision the same to the digit. Multiply-adds: torchvision; VGG-16's 15.5 G also in Sze
et al., arXiv:1703.09039, Table II.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value
from tinycnn.models.networks.alexnet import classifier


def vgg(net: Builder, classes: int, convolutions: tuple[int, ...]) -> Value:
    """convolutions: how many there are before each pooling."""
    x = net.image
    for stage, (count, channels) in enumerate(zip(convolutions, (64, 128, 256, 512, 512), strict=True), 1):
        for i in range(1, count + 1):
            x = net.conv_relu(x, f"conv{stage}_{i}", channels, 3, pad=1)
        x = net.max_pool(x, f"pool{stage}", 2)
    return classifier(net, x, classes)


def published(parameters: str, macs: str) -> Published:
    return Published(parameters, macs, "torchvision, models/vgg.py")


PAPER = "Simonyan and Zisserman, arXiv:1409.1556"
NETWORKS = tuple(
    Architecture(f"vgg{depth}", 2014, PAPER, vgg, published(parameters, macs), {"convolutions": convolutions})
    for depth, convolutions, parameters, macs in (
        (11, (1, 1, 2, 2, 2), "132,863,336", "7.609 G"),
        (13, (2, 2, 2, 2, 2), "133,047,848", "11.308 G"),
        (16, (2, 2, 3, 3, 3), "138,357,544", "15.47 G"),
        (19, (2, 2, 4, 4, 4), "143,667,240", "19.632 G"),
    )
)
