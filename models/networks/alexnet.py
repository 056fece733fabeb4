"""AlexNet: five convolutions and three large layers, on two GPUs, won ImageNet in 2012.

Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012, section 3.
The two GPUs remain as two groups in the second, fourth and fifth convolution. The paper says 224x224 pixels, but its
first layer of 55x55 needs 227. "60 million parameters": 60,965,224, 61 M with 724 M multiply-adds in Sze et al.,
arXiv:1703.09039, Table II.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value


def alexnet(net: Builder, classes: int) -> Value:
    x = net.conv_relu(net.image, "conv1", 96, 11, stride=4)
    x = net.max_pool(response_norm(net, x, "norm1"), "pool1", 3, stride=2)
    x = net.conv_relu(x, "conv2", 256, 5, pad=2, group=2)
    x = net.max_pool(response_norm(net, x, "norm2"), "pool2", 3, stride=2)
    x = net.conv_relu(x, "conv3", 384, 3, pad=1)
    x = net.conv_relu(x, "conv4", 384, 3, pad=1, group=2)
    x = net.conv_relu(x, "conv5", 256, 3, pad=1, group=2)
    x = net.max_pool(x, "pool5", 3, stride=2)
    return classifier(net, x, classes)


def response_norm(net: Builder, x: Value, name: str) -> Value:
    """x / (2 + 1e-4 s)^0.75, s the sum over five neighbouring channels (section 3.3); ONNX divides alpha by size."""
    return net.lrn(x, name, size=5, alpha=5e-4, beta=0.75, bias=2.0)


def classifier(net: Builder, x: Value, classes: int) -> Value:
    """Two layers of 4096 that dropped out in training (section 4.2), and one of the classes."""
    x = net.dropout(net.relu(net.linear(net.flatten(x), "fc6", 4096)), "drop6")
    x = net.dropout(net.relu(net.linear(x, "fc7", 4096)), "drop7")
    return net.linear(x, "fc8", classes)


NETWORKS = (
    Architecture(
        "alexnet", 2012, "Krizhevsky et al., NIPS 2012", alexnet,
        Published("61 M", "724 M", "Sze et al., arXiv:1703.09039, Table II"), input=(3, 227, 227),
    ),
)  # fmt: skip
