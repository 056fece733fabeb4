"""The base of all operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec

REGISTRY: dict[str, type["Op"]] = {}

Specs = Sequence[TensorSpec | None]
Values = Sequence[np.ndarray | None]


@dataclass(frozen=True)
class Op:
    """What an operator means, in the form of the newest ONNX opset. Fields are ONNX attributes, by name.

    A subclass registers itself under `kind`, which is its class name unless it says otherwise.

    arity      least and greatest number of inputs
    """

    kind: ClassVar[str] = ""
    arity: ClassVar[tuple[int, int]] = (1, 1)

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

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """The outputs, straightforwardly in NumPy; floats computed in float64, returned in the input's dtype."""
        raise NotImplementedError(self.kind)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        """Multiply-adds of one application."""
        return 0
