"""Mean: the mean of several tensors."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.activation import finish
from tinycnn.ops.broadcast import _Variadic


class Mean(_Variadic):
    """The sum of all inputs, broadcast, over their number.  Source: ONNX Mean, opset 13."""

    dtypes: ClassVar[str] = "f"

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        self.required(inputs)
        arrays = [x.astype(np.float64) for x in inputs if x is not None]
        total = sum(arrays[1:], arrays[0])
        return (finish(total / len(arrays), inputs[0].dtype, self.activation),)  # type: ignore[union-attr]
