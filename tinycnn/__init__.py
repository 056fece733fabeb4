"""tinycnn: an embedded inference engine for convolutional networks, in Python, compiled by Numba.

Importing it only defines names: nothing is compiled, and neither Numba nor onnx is imported before it is needed.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

NAMES = {
    "InferenceSession": "tinycnn.session",
    "SessionOptions": "tinycnn.session",
    "NodeArg": "tinycnn.session",
    "ModelMetadata": "tinycnn.session",
    "get_available_providers": "tinycnn.session",
    "load": "tinycnn.session",
    "Graph": "tinycnn.ir",
    "TinyCnnError": "tinycnn.errors",
}
__all__ = ["__version__", *NAMES]

if TYPE_CHECKING:
    from tinycnn.errors import TinyCnnError as TinyCnnError
    from tinycnn.ir import Graph as Graph
    from tinycnn.session import InferenceSession as InferenceSession
    from tinycnn.session import ModelMetadata as ModelMetadata
    from tinycnn.session import NodeArg as NodeArg
    from tinycnn.session import SessionOptions as SessionOptions
    from tinycnn.session import get_available_providers as get_available_providers
    from tinycnn.session import load as load


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'tinycnn' has no attribute {name!r}")
    return getattr(importlib.import_module(NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *NAMES])
