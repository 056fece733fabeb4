"""How the networks for CIFAR-10 are trained: their command line, augmentation, optimiser, schedule and measurement."""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tinycnn.models.cifar10 import read_cifar10

MEAN, STD = (0.491, 0.482, 0.446), (0.247, 0.243, 0.262)
"""Of the training pixels in 0..1, by channel."""


@dataclass(frozen=True)
class Recipe:
    """What differs from network to network; `mixed` is the share of pictures that get a part of another."""

    epochs: int
    peak_rate: float
    weight_decay: float
    smoothing: float
    mixed: float
    batch: int = 128


class Conv(nn.Conv2d):
    """A convolution of size x size pixels, padded so that stride 1 keeps the shape."""

    def __init__(self, ci: int, co: int, size: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(ci, co, size, stride, size // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        # Of 3 channels, and of 3x3 pixels with stride 2, torch has no fast gradient in bfloat16.
        slow = self.in_channels == 3 or (self.kernel_size, self.stride) == ((3, 3), (2, 2))
        with torch.autocast("cpu", enabled=torch.is_autocast_enabled("cpu") and not slow):
            return super().forward(x.float() if slow else x)


def augment(images: Tensor) -> Tensor:
    """Pictures [n, 32, 32, 3], each moved by up to 4 pixels and mirrored by chance.

    Source: He et al., "Deep residual learning for image recognition", 2016, section 4.2; beyond the border the picture
    goes on as its mirror image.
    """
    n, size = images.shape[:2]
    rows, columns = (torch.arange(size) + torch.randint(-4, 5, (n, 1)) for _ in range(2))
    columns = torch.where(torch.rand(n, 1) < 0.5, columns, columns.flip(1))
    rows, columns = (size - 1 - (size - 1 - i.abs()).abs() for i in (rows, columns))
    return images[torch.arange(n).view(n, 1, 1), rows.unsqueeze(2), columns.unsqueeze(1)]


def mix(images: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """CutMix: some pictures [n, 32, 32, 3] get a square of another, and that part of its target [n, 10].

    Source: Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019,
    section 3.1, with a draw of its own for each picture.
    """
    n, size = images.shape[:2]
    sides = size * torch.rand(n, 1).sqrt() * (torch.rand(n, 1) < share)
    down, along = (torch.arange(size) - size * torch.rand(n, 1) + sides / 2 for _ in range(2))
    square = ((down >= 0) & (down < sides)).unsqueeze(2) & ((along >= 0) & (along < sides)).unsqueeze(1)
    part = square.float().mean(dim=(1, 2)).unsqueeze(1)
    images = torch.where(square.unsqueeze(3), images.flip(0), images)
    return images, (1 - part) * targets + part * targets.flip(0)


def optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Stochastic gradient descent with Nesterov's momentum; only weights decay, not biases and normalisations."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, recipe.peak_rate, momentum=0.9, nesterov=True)


def train(model: nn.Module, images: Tensor, labels: Tensor, recipe: Recipe, checkpoint: Path | None) -> None:
    """Minimise the cross-entropy over pictures [n, 32, 32, 3], going on from the checkpoint where there is one."""
    steps = math.ceil(len(images) / recipe.batch)
    optimizer = optimiser(model, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_rate, total_steps=recipe.epochs * steps, pct_start=0.15, cycle_momentum=False
    )
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule}
    first, seconds = 0, 0.0
    if checkpoint and checkpoint.exists():
        state = torch.load(checkpoint)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first, seconds = state["epoch"], state["seconds"]
        torch.set_rng_state(state["random"])
    start = time.process_time() - seconds
    for epoch in range(first, recipe.epochs):
        model.train()
        total = 0.0
        for chosen in torch.randperm(len(images)).split(recipe.batch):
            x, targets = mix(augment(images[chosen]), F.one_hot(labels[chosen], 10).float(), recipe.mixed)
            with torch.autocast("cpu", torch.bfloat16):
                scores = model(x.permute(0, 3, 1, 2))
            loss = F.cross_entropy(scores.float(), targets, label_smoothing=recipe.smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        seconds = time.process_time() - start
        print(f"epoch {epoch + 1} of {recipe.epochs}: loss {total / len(images):.4f}, CPU {seconds:.0f} s", flush=True)
        if checkpoint:
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"epoch": epoch + 1, "seconds": seconds, "random": torch.get_rng_state()}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").replace(checkpoint)


@torch.inference_mode()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of pictures [n, 32, 32, 3] whose greatest score is their label's."""
    model.eval()
    scores = torch.cat([model(batch.permute(0, 3, 1, 2)) for batch in images.split(500)])
    return float((scores.argmax(1) == labels).double().mean())


def main(
    description: str | None,
    build: Callable[[], nn.Module],
    recipe: Recipe,
    to_onnx: Callable[[Any], onnx.ModelProto],
) -> None:
    """Train a network and write it; the test pictures are read once, after training, and not at all with --hold-out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="zip of pictures, {train,test}/{class}/{name}.jpg")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--checkpoint", type=Path, help="file to save the state in after each epoch, and to go on from")
    parser.add_argument("--hold-out", type=int, default=0, metavar="N", help="measure on N training pictures left out")
    arguments = parser.parse_args()
    torch.manual_seed(2009)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)

    def pictures(part: str) -> tuple[Tensor, Tensor]:
        images, labels = read_cifar10(arguments.data, part)
        return (torch.tensor(images) / 255 - torch.tensor(MEAN)) / torch.tensor(STD), torch.tensor(labels)

    images, labels = pictures("train")
    kept, held = torch.randperm(len(images)).split([len(images) - arguments.hold_out, arguments.hold_out])
    model = build().to(memory_format=torch.channels_last)
    recipe = Recipe(**vars(recipe) | {"epochs": arguments.epochs})
    train(model, images[kept], labels[kept], recipe, arguments.checkpoint)
    measured, known = (images[held], labels[held]) if arguments.hold_out else pictures("test")
    print(f"accuracy on {len(known)} pictures: {accuracy(model, measured, known):.2%}")
    onnx.save(to_onnx(model), arguments.out)
