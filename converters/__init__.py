"""Foreign model formats to graphs and back. Importing it imports no format's package before it is needed."""

import importlib
from typing import TYPE_CHECKING, Any

NAMES = {
    "load_onnx": "tinycnn.converters.onnx.importer",
    "save_onnx": "tinycnn.converters.onnx.writer",
    "to_onnx": "tinycnn.converters.onnx.writer",
}
__all__ = ["load_onnx", "save_onnx", "to_onnx"]

if TYPE_CHECKING:
    from tinycnn.converters.onnx.importer import load_onnx as load_onnx
    from tinycnn.converters.onnx.writer import save_onnx as save_onnx
    from tinycnn.converters.onnx.writer import to_onnx as to_onnx


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'tinycnn.converters' has no attribute {name!r}")
    return getattr(importlib.import_module(NAMES[name]), name)
