"""HardSwish: x times a hard sigmoid of x."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class HardSwish(_Elementwise):
    """x clip(x / 6 + 1 / 2, 0, 1).  Source: ONNX HardSwish, opset 22; Howard et al., arXiv:1905.02244, section 5.2."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("hard_swish")
