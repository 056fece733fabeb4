"""Functions of several tensors with broadcasting: how operands lie in memory, and which rows compute an operator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinycnn.kernels.lowering import Emitter, Layout, Ref, Request

# operator: name of the function of two numbers that its rows compute
FUNCTIONS = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Max": "max", "Min": "min", "Pow": "pow", "PRelu": "prelu",
    "Sum": "add", "Mean": "add",
}  # fmt: skip
NAMES = ("add", "sub", "mul", "div", "max", "min", "pow", "prelu")


@dataclass(frozen=True)
class Broadcast:
    """dims: outermost first; strides: per operand and dimension, in elements."""

    dims: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]


def contiguous(shape: Sequence[int], step: int = 1) -> tuple[int, ...]:
    """Strides in elements, 0 along dimensions of size 1."""
    return tuple(0 if d == 1 else step * math.prod(shape[i + 1 :]) for i, d in enumerate(shape))


def plain_strides(shape: Sequence[int], out: Sequence[int]) -> tuple[int, ...]:
    return (0,) * (len(out) - len(shape)) + contiguous(shape)


def merge(dims: Sequence[int], strides: Sequence[Sequence[int]]) -> Broadcast:
    """Joins neighbouring dimensions along which every operand goes on evenly, and drops those of size 1."""
    shape: list[int] = []
    steps: list[list[int]] = []  # per dimension, per operand
    for d, *step in zip(dims, *strides, strict=True):
        if d == 1:
            continue
        if shape and all(outer == inner * d for outer, inner in zip(steps[-1], step, strict=True)):
            shape[-1], steps[-1] = shape[-1] * d, step
        else:
            shape.append(d)
            steps.append(step)
    if not shape:
        shape, steps = [1], [[1] * len(strides)]
    return Broadcast(tuple(shape), tuple(zip(*steps, strict=True)))


@dataclass(frozen=True)
class Operand:
    """An input as a kernel reads it: its layout, its strides over the output, its elements if it is constant."""

    index: int
    layout: Layout
    strides: tuple[int, ...]
    value: np.ndarray | None

    def address(self, e: Emitter) -> Ref:
        value = self.value
        return e.input(self.index) if value is None else e.weights(f"operand {self.index} {self.layout}", lambda: value)


def plain_operand(r: Request, i: int) -> Operand | None:
    """Input i in the plain layout, constants as f32; None where it is absent, or a variable of another dtype."""
    spec, value = r.inputs[i], r.values[i]
    if spec is None or (value is None and spec.dtype != np.float32):
        return None
    packed = None if value is None else np.asarray(value, np.float32)
    return Operand(i, "plain", plain_strides(spec.dims, r.outputs[0].dims), packed)


@dataclass(frozen=True)
class Stage:
    """A row: the function `name` of what was computed before, operand 0 at first, and of b, which lie as `lay` says.

    b is None for the number of operands, by which a mean divides.
    """

    name: str
    lay: Broadcast
    b: Operand | None


def stages(r: Request, dims: Sequence[int], operands: Sequence[Operand]) -> list[Stage]:
    """The rows that compute `r` over an output of `dims`; none where it is its only operand."""
    name = FUNCTIONS[r.node.kind]
    if is_square(r):
        name, operands = "mul", [operands[0]] * 2
    whole = contiguous(dims)
    a = operands[0].strides
    found = []
    for b in operands[1:]:
        found.append(Stage(name, merge(dims, (a, b.strides)), b))
        a = whole
    if found and r.node.kind == "Mean":
        found.append(Stage("div", merge(dims, (whole, (0,) * len(dims))), None))
    return found


def is_square(r: Request) -> bool:
    exponent = r.values[1] if r.node.kind == "Pow" else None
    return exponent is not None and exponent.size == 1 and exponent.item() == 2


def taken_over(r: Request, layout: Layout, operands: Sequence[Operand]) -> int | None:
    """The operand that the output may overwrite: as large as it, and read no more after the first row."""
    for o in operands[:2]:
        spec = r.inputs[o.index]
        once = len(operands) == 2 or r.node.inputs.count(r.node.inputs[o.index]) == 1
        if o.value is None and o.layout == layout and spec and spec.size == r.outputs[0].size and once:
            return o.index
    return None
