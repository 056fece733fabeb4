"""Train LeNet-5 on MNIST and write it as ONNX.

python models/training/lenet5.py --data FOLDER --out models/lenet5.onnx

Needs torch 2.13 beside the package. One thread and fixed seeds; the test digits are read once, after training.
"""

import argparse
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from tinycnn.models.mnist import read_mnist


class LeNet5(nn.Module):
    """LeNet-5 with ReLU, max pooling and a plain linear output: 61,706 parameters.

    Maps images [n, 1, 28, 28] f32 in 0..1 to logits [n, 10]. The second convolution sees all six maps.
    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", section II.B.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(image)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc2(F.relu(self.fc1(x.flatten(1)))))
        return self.fc3(x)


def with_upstroke(ones: Tensor) -> Tensor:
    """Ones [n, 1, 28, 28] with the upstroke that many hands begin with, and that few ones of MNIST have.

    A straight stroke 3 px wide, from the topmost ink down to the left: 4 to 10 px long, 30 to 60 degrees steep.
    """
    n = len(ones)
    ink = ones[:, 0] > 0.5
    top = ink.any(dim=2).float().argmax(dim=1)
    left = ink[torch.arange(n), top].float().argmax(dim=1)
    angle, length = torch.empty(n).uniform_(0.52, 1.05), torch.empty(n).uniform_(4, 10)
    down, along = angle.sin().view(n, 1, 1), angle.cos().view(n, 1, 1)
    y = torch.arange(28.0).view(1, 28, 1) - (top + 1).view(n, 1, 1)
    x = (left + 1).view(n, 1, 1) - torch.arange(28.0).view(1, 1, 28)
    nearest = (y * down + x * along).clamp(min=0).minimum(length.view(n, 1, 1))
    distance = torch.hypot(y - nearest * down, x - nearest * along)
    return ones.maximum((2 - distance).clamp(0, 1).unsqueeze(1))


def augment(images: Tensor, labels: Tensor) -> Tensor:
    """Digits [n, 1, 28, 28] as other hands and pens would draw them, one random draw per digit.

    An upstroke for every fourth one, an affine map (rotation, shear, scale, shift), an elastic displacement, and a
    thicker or thinner pen.
    Source: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks", 2003, section 2.
    """
    n = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(n).uniform_(low, high)

    chosen = (labels == 1) & (uniform(0, 1) < 0.25)
    images = images.clone()
    images[chosen] = with_upstroke(images[chosen])
    angle, shear, zero = uniform(-0.26, 0.26), uniform(-0.25, 0.25), torch.zeros(n)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(n, 2, 2)
    shape = torch.stack([uniform(0.85, 1.2), shear, zero, uniform(0.85, 1.2)], dim=1).view(n, 2, 2)
    shift = torch.stack([uniform(-0.15, 0.15), uniform(-0.15, 0.15)], dim=1).view(n, 2, 1)
    affine = torch.cat([shape @ rotation, shift], dim=2)
    elastic = F.interpolate(torch.randn(n, 2, 7, 7) * uniform(0, 0.07).view(n, 1, 1, 1), size=28, mode="bicubic")
    grid = F.affine_grid(affine, list(images.shape), align_corners=False) + elastic.permute(0, 2, 3, 1)
    images = F.grid_sample(images, grid, align_corners=False)
    thick, thin = F.max_pool2d(images, 3, 1, 1), -F.max_pool2d(-images, 3, 1, 1)
    pen = uniform(-0.6, 1.0).view(n, 1, 1, 1)
    return torch.where(pen > 0, images.lerp(thick, pen.clamp(min=0)), images.lerp(thin, -pen.clamp(max=0)))


def train(images: Tensor, labels: Tensor, *, epochs: int, batch: int = 128, peak_rate: float = 3e-3) -> LeNet5:
    """Minimise the cross-entropy with AdamW and a one-cycle learning rate."""
    model = LeNet5()
    steps = math.ceil(len(images) / batch)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, total_steps=epochs * steps)
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(images)).split(batch):
            loss = F.cross_entropy(model(augment(images[chosen], labels[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1} of {epochs}: loss {total / len(images):.4f}", flush=True)
    return model.eval()


@torch.inference_mode()
def accuracy(model: LeNet5, images: Tensor, labels: Tensor) -> float:
    """The share of digits [n, 1, 28, 28] whose greatest logit is their label's."""
    return float((model(images).argmax(1) == labels).double().mean())


def to_onnx(model: LeNet5) -> onnx.ModelProto:
    """The network as ONNX (opset 13): "image" [batch, 1, 28, 28] f32 to "digit" [batch, 10] f32."""
    convolution = {"kernel_shape": [5, 5]}
    pooling = {"kernel_shape": [2, 2], "strides": [2, 2]}
    layers: list[tuple[str, str, dict[str, Any]]] = [
        ("Conv", "conv1", convolution | {"pads": [2, 2, 2, 2]}),
        ("Relu", "relu1", {}),
        ("MaxPool", "pool1", pooling),
        ("Conv", "conv2", convolution),
        ("Relu", "relu2", {}),
        ("MaxPool", "pool2", pooling),
        ("Flatten", "flatten", {}),
        ("Gemm", "fc1", {"transB": 1}),
        ("Relu", "relu3", {}),
        ("Gemm", "fc2", {"transB": 1}),
        ("Relu", "relu4", {}),
        ("Gemm", "fc3", {"transB": 1}),
    ]
    values = ["image", *(name for _, name, _ in layers[:-1]), "digit"]
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    nodes = [
        helper.make_node(
            op, [source, *(key for key in weights if key.startswith(f"{name}."))], [target], name, **options
        )
        for (op, name, options), (source, target) in zip(layers, pairwise(values), strict=True)
    ]
    graph = helper.make_graph(
        nodes,
        "lenet5",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("digit", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    proto = helper.make_model(graph, producer_name="tinycnn", ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(proto, full_check=True)
    return proto


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the four MNIST idx.gz files")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--epochs", type=int, default=60)
    arguments = parser.parse_args()
    torch.manual_seed(1998)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    def digits(part: str) -> tuple[Tensor, Tensor]:
        images, labels = read_mnist(arguments.data, part)
        return torch.tensor(images).unsqueeze(1) / 255, torch.tensor(labels).long()

    model = train(*digits("train"), epochs=arguments.epochs)
    print(f"accuracy on the test digits: {accuracy(model, *digits('t10k')):.2%}")
    onnx.save(to_onnx(model), arguments.out)


if __name__ == "__main__":
    main()
