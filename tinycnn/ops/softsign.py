"""Softsign: x over one plus its size."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Softsign(_Elementwise):
    """x / (1 + |x|).  Source: ONNX Softsign, opset 22."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("softsign")
