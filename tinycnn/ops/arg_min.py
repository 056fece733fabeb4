"""ArgMin: where the least element is."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ops.arg_extremum import _ArgExtremum


@dataclass(frozen=True)
class ArgMin(_ArgExtremum):
    """The position of the least element along one axis.  Source: ONNX ArgMin, opset 13."""

    find: ClassVar = staticmethod(np.argmin)
