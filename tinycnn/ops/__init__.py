"""What each operator means: one operator a file, which is imported when its kind is looked up in REGISTRY."""

from tinycnn.ops.activation import Activation
from tinycnn.ops.op import Op
from tinycnn.ops.registry import REGISTRY

__all__ = ["REGISTRY", "Activation", "Op"]
