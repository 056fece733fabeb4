"""Floor: the next integer below."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Floor(_Elementwise):
    """The greatest integer that is not above x.  Source: ONNX Floor, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("floor")
