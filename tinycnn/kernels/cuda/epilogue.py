"""What kernels do to a result before they store it: an elementwise function that is part of the kernel."""

from typing import Any

import numpy as np

from tinycnn.ops.activation import Activation

# Fields of a kernel that fuses: the parameters of its function, or the bounds of its clamp.
FIELDS = "alpha:f32 beta:f32"
NONE = Activation("clamp", -np.inf, np.inf)


def function(activation: Activation | None) -> str:
    """The function that is compiled in; a clamp serves where there is none."""
    return (activation or NONE).function


def values(activation: Activation | None) -> dict[str, Any]:
    """Values of FIELDS."""
    a = activation or NONE
    return {"alpha": a.alpha, "beta": a.beta}


def suffix(name: str) -> str:
    """What the function adds to the name of a kernel."""
    return "" if name == "clamp" else f"_{name}"
