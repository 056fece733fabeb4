"""Network in Network: 1x1 convolutions after each convolution, and the mean of a map as the score of a class.

Lin, Chen, Yan, "Network in network", arXiv:1312.4400, section 4 and Figure 2, as its authors' definition for CIFAR-10
has it: filters of 5x5, 5x5 and 3x3, 192 each, dropout of one half between the blocks. About 1 M parameters, says
Springenberg et al., arXiv:1412.6806, Table 3. Multiply-adds are not published.
"""

from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value


def nin(net: Builder, classes: int) -> Value:
    x = net.image
    blocks = ((5, (192, 160, 96)), (5, (192, 192, 192)), (3, (192, 192, classes)))
    for i, (kernel, (first, second, third)) in enumerate(blocks, 1):
        x = net.conv_relu(x, f"conv{i}", first, kernel, pad=kernel // 2)
        x = net.conv_relu(x, f"conv{i}/1x1_1", second)
        x = net.conv_relu(x, f"conv{i}/1x1_2", third)
        if i == 1:
            x = net.dropout(net.max_pool(x, "pool1", 3, stride=2, round_up=True), "drop1")
        if i == 2:
            x = net.dropout(net.average_pool(x, "pool2", 3, stride=2, round_up=True), "drop2")
    return net.flatten(net.global_pool(x, "pool3"), "scores")


NETWORKS = (
    Architecture(
        "nin", 2013, "Lin et al., arXiv:1312.4400", nin,
        Published("1.0 M", "", "Springenberg et al., arXiv:1412.6806, Table 3"), input=(3, 32, 32), classes=10,
    ),
)  # fmt: skip
