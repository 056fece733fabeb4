"""FractalNet: a rule that doubles depth and keeps a short way, again and again; no residuals.

Larsson, Maire, Shakhnarovich, "FractalNet: ultra-deep neural networks without residuals", arXiv:1605.07648, Figure 1
and Table 3: five blocks of four columns are 40 layers with 4.8 M parameters, for 16, 32, 64, 128 and 128 channels; one,
two and three columns are 5, 10 and 20 layers with 0.3, 0.8 and 2.1 M. At test time all paths are averaged; dropping
paths is a matter of training. The paper counts no multiply-adds.
"""

from tinycnn.errors import OptionError
from tinycnn.models.architectures import Architecture, Published
from tinycnn.models.builder import Builder, Value


def fractalnet(net: Builder, classes: int, columns: int = 4, widths: tuple[int, ...] = (16, 32, 64, 128, 128)) -> Value:
    """widths: channels of each block."""
    if columns < 1:
        raise OptionError(f"{net.name}: columns is {columns}, it must be at least 1")
    x = net.image
    for b, channels in enumerate(widths, 1):
        name = f"block{b}"
        x = join(net, fractal(net, x, name, columns, channels, row=1), name)
        x = net.max_pool(x, f"pool{b}", 2)
    return net.linear(net.flatten(x), "fc", classes)


def fractal(net: Builder, x: Value, name: str, columns: int, channels: int, row: int) -> list[Value]:
    """What is to be joined of f_C(x) = [f_{C-1}(f_{C-1}(x)), conv(x)]: the ends of all columns, the deepest first.

    The fractal takes the rows from `row` on, 2^(C-1) of them; its last column is one convolution that spans all.
    """
    rows = 1 << columns - 1
    span = f"{name}/row{row}" if rows == 1 else f"{name}/rows{row}-{row + rows - 1}"
    ends = []
    if columns > 1:
        half = rows // 2
        middle = join(net, fractal(net, x, name, columns - 1, channels, row), f"{name}/join{row}-{row + half - 1}")
        ends = fractal(net, middle, name, columns - 1, channels, row + half)
    return [*ends, net.conv_norm_relu(x, span, channels, 3, pad=1)]


def join(net: Builder, ends: list[Value], name: str) -> Value:
    """The mean of what comes in; one path alone is itself."""
    return net.mean(ends, name) if len(ends) > 1 else ends[0]


NETWORKS = (
    Architecture(
        "fractalnet", 2016, "Larsson et al., arXiv:1605.07648", fractalnet,
        Published("4.8 M", "", "the paper, Table 3"), input=(3, 32, 32), classes=100,
    ),
)  # fmt: skip
