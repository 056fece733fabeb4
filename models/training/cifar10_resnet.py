"""Train a residual network on CIFAR-10 and write it as ONNX, batch normalisation included.

python models/training/cifar10_resnet.py --data ZIP --out models/cifar10_resnet.onnx

Needs torch 2.13 beside the package. Two threads and fixed seeds.
"""

from itertools import pairwise

import onnx
import torch.nn.functional as F
from export import Writer
from recipe import Conv, Recipe, main
from torch import Tensor, nn

WIDTHS, BLOCKS = (32, 64, 96), 2
"""Channels of the three stages, at 32, 16 and 8 pixels, and the blocks in each."""

RECIPE = Recipe(epochs=80, peak_rate=0.1, weight_decay=5e-4, smoothing=0.05, mixed=0.5)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: the identity, or a 1x1 convolution where the shape changes.

    Maps [n, ci, h, w] f32 to [n, co, h / stride, w / stride].
    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016, section 3.2.
    """

    def __init__(self, ci: int, co: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = Conv(ci, co, 3, stride, bias=False), nn.BatchNorm2d(co)
        self.conv2, self.norm2 = Conv(co, co, 3, bias=False), nn.BatchNorm2d(co)
        self.shortcut = nn.Sequential()
        if ci != co:
            self.shortcut = nn.Sequential(Conv(ci, co, 1, stride, bias=False), nn.BatchNorm2d(co))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """ResNet-14 (6n + 2 layers, n = 2) for 32x32 pictures, with wider stages than the original's 16, 32 and 64.

    Maps pictures [n, 3, 32, 32] f32 to scores [n, 10].
    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016, section 4.2.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = Conv(3, WIDTHS[0], 3, bias=False), nn.BatchNorm2d(WIDTHS[0])
        self.blocks = nn.Sequential()
        for ci, co in pairwise((WIDTHS[0], *WIDTHS)):
            self.blocks.append(Block(ci, co, 1 if ci == co else 2))
            self.blocks.extend([Block(co, co, 1) for _ in range(BLOCKS - 1)])
        self.dense = nn.Linear(WIDTHS[-1], 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.norm(self.conv(image))))
        return self.dense(x.mean(dim=(2, 3)))


def to_onnx(model: ResNet) -> onnx.ModelProto:
    """The network as ONNX (opset 13): "image" [batch, 3, 32, 32] f32 to "class" [batch, 10] f32."""
    w = Writer(model)
    x = w.add("Relu", "relu", w.add("BatchNormalization", "norm", w.conv("conv", "image")))
    for i in range(BLOCKS * len(WIDTHS)):
        block = f"blocks.{i}"
        changes = f"{block}.shortcut.0.weight" in w.weights
        stride = 2 if changes else 1
        y = w.add("BatchNormalization", f"{block}.norm1", w.conv(f"{block}.conv1", x, stride))
        y = w.conv(f"{block}.conv2", w.add("Relu", f"{block}.relu1", y))
        y = w.add("BatchNormalization", f"{block}.norm2", y)
        if changes:
            x = w.add("BatchNormalization", f"{block}.shortcut.1", w.conv(f"{block}.shortcut.0", x, stride))
        x = w.add("Relu", f"{block}.relu2", w.add("Add", f"{block}.sum", y, x))
    x = w.add("Flatten", "flatten", w.add("GlobalAveragePool", "pool", x))
    w.add("Gemm", "dense", x, output="class", transB=1)
    return w.model("cifar10_resnet", "class")


if __name__ == "__main__":
    main(__doc__, ResNet, RECIPE, to_onnx)
