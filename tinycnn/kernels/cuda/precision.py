"""Numbers as tensor cores read them: words of 32 bits with one TF32 number, or two of BF16 or F16."""

import numpy as np

from tinycnn.kernels.cuda.device import Precision


def to_words(x: np.ndarray, precision: Precision) -> np.ndarray:
    """f32 [..., k] to i32 [..., k / numbers of a word], rounded as `cvt` does: TF32 with ties away from zero, others to
    even. The first of two numbers is in the low bits."""
    x = np.ascontiguousarray(x, np.float32)
    if precision == "f16":
        with np.errstate(over="ignore"):
            return x.astype(np.float16).view(np.int32)
    bits = x.view(np.uint32)
    if precision == "tf32":
        rounded = np.where(np.isfinite(x), (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000), bits)
        return rounded.view(np.int32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    halves = np.where(np.isnan(x), np.uint32(0x7FFF), rounded).astype(np.uint16)
    return halves.view(np.int32)


def from_words(w: np.ndarray, precision: Precision) -> np.ndarray:
    """The numbers of words, as f32 [..., k]."""
    w = np.ascontiguousarray(w, np.int32)
    if precision == "tf32":
        return w.view(np.float32)
    halves = w.view(np.uint16)
    if precision == "f16":
        return halves.view(np.float16).astype(np.float32)
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
