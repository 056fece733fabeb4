"""Train a VGG-style network with the original dropout on CIFAR-10 and write it as ONNX.

python models/training/cifar10_vgg.py --data ZIP --out models/cifar10_vgg.onnx

Needs torch 2.13 beside the package. Two threads and fixed seeds.
"""

import math
from itertools import pairwise

import onnx
import torch
from export import Writer
from recipe import Conv, Recipe, main
from torch import Tensor, nn

WIDTHS, HIDDEN = (3, 32, 64, 96), 160
"""Channels of the input and of the three blocks, at 32, 16 and 8 pixels; units of the dense layer behind them."""

KEEP = (0.9, 0.75, 0.75, 0.5, 0.5)
"""Probabilities that a unit is kept: of the input, of what each block makes and of what the dense layer makes.

Source: Srivastava et al., JMLR 15 (2014), appendix B.2, whose convolutional networks have one dense layer more.
"""

RECIPE = Recipe(epochs=20, peak_rate=0.05, weight_decay=5e-4, smoothing=0.0, mixed=0.0)


class Dropout(nn.Module):
    """Dropout as first published: a unit is kept with probability 1 - ratio, and what is kept stays as it is.

    At test time every unit is kept, and multiplied by that probability.
    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15 (2014), section 4.
    """

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep
        self.register_buffer("ratio", torch.tensor(1 - keep))

    def forward(self, x: Tensor) -> Tensor:
        return x * (torch.empty_like(x).bernoulli_(self.keep) if self.training else self.keep)


def build() -> nn.Sequential:
    """Three blocks of two 3x3 convolutions and a pooling, then two dense layers; a dropout before each of the five.

    Maps pictures [n, 3, 32, 32] f32 to scores [n, 10].
    Source: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015, section 2.
    """
    model = nn.Sequential()
    for i, (ci, co) in enumerate(pairwise(WIDTHS), start=1):
        model.add_module(f"drop{i}", Dropout(KEEP[i - 1]))
        for letter, channels in (("a", ci), ("b", co)):
            model.add_module(f"conv{i}{letter}", Conv(channels, co, 3))
            model.add_module(f"relu{i}{letter}", nn.ReLU())
        model.add_module(f"pool{i}", nn.MaxPool2d(2))
    model.add_module("drop4", Dropout(KEEP[3]))
    model.add_module("flatten", nn.Flatten())
    model.add_module("dense4", nn.Linear(WIDTHS[-1] * 4 * 4, HIDDEN))
    model.add_module("relu4", nn.ReLU())
    model.add_module("drop5", Dropout(KEEP[4]))
    model.add_module("dense5", nn.Linear(HIDDEN, 10))
    initialise(model)
    return model


def initialise(model: nn.Sequential) -> None:
    """Normal weights of variance 2 / (keep * inputs), as a mask leaves only `keep` of the power; biases of zero.

    Source: He et al., "Delving deep into rectifiers", 2015, section 2.2, for keep = 1.
    """
    keep = 1.0
    for layer in model:
        if isinstance(layer, Dropout):
            keep = layer.keep
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / (keep * layer.weight[0].numel())))
            nn.init.zeros_(layer.bias)
            keep = 1.0


def to_onnx(model: nn.Sequential) -> onnx.ModelProto:
    """The network as ONNX (opset 13): "image" [batch, 3, 32, 32] f32 to "class" [batch, 10] f32.

    The dropouts are in the file, whose metadata say that they are the original ones.
    """
    w = Writer(model)
    pooling = {"kernel_shape": [2, 2], "strides": [2, 2]}
    kinds: dict[type, tuple[str, dict[str, object]]] = {
        Dropout: ("Dropout", {}),
        nn.ReLU: ("Relu", {}),
        nn.MaxPool2d: ("MaxPool", pooling),
        nn.Flatten: ("Flatten", {}),
        nn.Linear: ("Gemm", {"transB": 1}),
    }
    value = "image"
    for name, layer in model.named_children():
        output = "class" if layer is model[-1] else name
        if isinstance(layer, nn.Conv2d):
            value = w.conv(name, value)
        else:
            operator, attributes = kinds[type(layer)]
            value = w.add(operator, name, value, output=output, **attributes)
    return w.model("cifar10_vgg", "class", {"tinycnn.dropout": "original"})


if __name__ == "__main__":
    main(__doc__, build, RECIPE, to_onnx)
