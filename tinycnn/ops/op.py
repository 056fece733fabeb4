"""The base of all operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.registry import REGISTRY

Specs = Sequence[TensorSpec | None]
Values = Sequence[np.ndarray | None]
T = TypeVar("T")

ANY_NUMBER = 1 << 30  # greatest number of inputs of a variadic operator


@dataclass(frozen=True)
class Op:
    """What an operator means, in the form of the newest ONNX opset. Fields are ONNX attributes, by name.

    A subclass registers itself under `kind`, which is its class name unless it says otherwise. One with fields of its
    own is declared a frozen dataclass; one without is it by its base, and spares every start the making of its methods.

    arity      least and greatest number of inputs; the ones beyond the least may be absent (None)
    results    greatest number of outputs
    dtypes     NumPy kind letters that the first input may have; empty: any
    """

    kind: ClassVar[str] = ""
    arity: ClassVar[tuple[int, int]] = (1, 1)
    results: ClassVar[int] = 1
    dtypes: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.kind = cls.__dict__.get("kind") or cls.__name__
        if not cls.__name__.startswith("_"):
            REGISTRY[cls.kind] = cls

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        """Specs of the outputs.

        inputs  specs with static shapes; None for an absent optional input
        values  the arrays of inputs that are constants, else None
        Returns None where the shapes depend on data that is not known yet.
        Raises ShapeError when the definition does not allow these inputs together.
        """
        raise NotImplementedError(self.kind)

    def bound(self, inputs: Specs) -> "Op":
        """The operator with what depends on the inputs' shapes written out. `infer` has allowed these inputs."""
        return self

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """The outputs, straightforwardly in NumPy; floats computed in float64, returned in the input's dtype.

        Outputs may share memory with inputs.
        """
        raise NotImplementedError(self.kind)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        """Multiply-adds of one application."""
        return 0

    def operands(self, inputs: Specs) -> list[TensorSpec]:
        """The inputs that must be there. Raises ShapeError when they are not, or when a dtype or shape cannot be."""
        operands = self.required(inputs)
        for i, spec in enumerate(inputs):
            if spec is not None and not spec.is_static:
                raise ShapeError(f"{self.kind}: input {i} is {spec}, its shape must be known")
        if operands and self.dtypes and operands[0].dtype.kind not in self.dtypes:
            raise ShapeError(f"{self.kind} is not defined for {operands[0].dtype.name}")
        return operands

    def required(self, inputs: Sequence[T | None]) -> list[T]:
        """The inputs that must be there, be they specs or arrays. Raises ShapeError when one is not."""
        least, most = self.arity
        if not least <= len(inputs) <= most:
            wanted = (
                f"{least}" if most == least else f"at least {least}" if most == ANY_NUMBER else f"{least} to {most}"
            )
            raise ShapeError(f"{self.kind} takes {wanted} inputs, not {len(inputs)}")
        present = [x for x in inputs[:least] if x is not None]
        if len(present) < least:
            absent = next(i for i, x in enumerate(inputs) if x is None)
            raise ShapeError(f"{self.kind}: input {absent} is absent, and not optional")
        return present

    def optional(self, inputs: Sequence[T | None]) -> list[T | None]:
        """The inputs that may be absent, None for each that is."""
        least, most = self.arity
        return [*inputs[least:], *[None] * (most - max(len(inputs), least))]
