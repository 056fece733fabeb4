"""Sign: the sign."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Sign(_Elementwise):
    """-1, 0 or 1, of floats and integers.  Source: ONNX Sign, opset 13."""

    dtypes: ClassVar[str] = "fiu"

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("sign")
