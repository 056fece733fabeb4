"""ZFNet: AlexNet with a finer first layer, which pictures of its features showed to be needed; won ImageNet in 2013.

Zeiler, Fergus, "Visualizing and understanding convolutional networks", arXiv:1311.2901, Figure 3: 224x224 pixels become
maps of 110, 55, 26, 13, 13, 13, 13 and 6. The paper counts neither parameters nor multiply-adds, so these sizes are
what it is held to. "Contrast normalised across feature maps" has AlexNet's constants here.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value
from tinycnn.models.networks.alexnet import classifier, response_norm


def zfnet(net: Builder, classes: int) -> Value:
    x = net.conv_relu(net.image, "conv1", 96, 7, stride=2, pad=1)
    x = response_norm(net, net.max_pool(x, "pool1", 3, stride=2, round_up=True), "norm1")
    x = net.conv_relu(x, "conv2", 256, 5, stride=2)
    x = response_norm(net, net.max_pool(x, "pool2", 3, stride=2, round_up=True), "norm2")
    x = net.conv_relu(x, "conv3", 384, 3, pad=1)
    x = net.conv_relu(x, "conv4", 384, 3, pad=1)
    x = net.conv_relu(x, "conv5", 256, 3, pad=1)
    x = net.max_pool(x, "pool5", 3, stride=2)
    return classifier(net, x, classes)


NETWORKS = (
    Architecture(
        "zfnet", 2013, "Zeiler and Fergus, arXiv:1311.2901", zfnet,
        Published(note="the paper gives sizes of maps, no counts"),
    ),
)  # fmt: skip
