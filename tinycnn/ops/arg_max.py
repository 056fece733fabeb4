"""ArgMax: where the greatest element is."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ops.arg_extremum import _ArgExtremum


@dataclass(frozen=True)
class ArgMax(_ArgExtremum):
    """The position of the greatest element along one axis.  Source: ONNX ArgMax, opset 13."""

    find: ClassVar = staticmethod(np.argmax)
