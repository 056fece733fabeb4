"""Pooling of whole images: reductions of each channel's plane."""

import math
from collections.abc import Iterable

import numpy as np

from tinycnn.kernels import pooling
from tinycnn.kernels.cuda import tuning
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, CudaKernel
from tinycnn.kernels.cuda.reduce import emit_folds
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers

KINDS = {"max": "ReduceMax", "avg": "ReduceMean"}


@lowers("GlobalMaxPool", "GlobalAveragePool", on="cuda")
def whole_images(r: Request) -> Iterable[Choice]:
    x = r.inputs[0]
    if x is None or x.dtype != np.float32 or not 0 < x.size < MOST_ELEMENTS:
        return
    n, c, *spatial = x.dims
    planes = [(n * c, False), (math.prod(spatial), True)]

    def emit(e: Emitter) -> None:
        emit_folds(e, KINDS[pooling.function(r)], e.input(0), e.output(), planes, r.target)

    yield Choice("global", ["plain"], "plain", tuning.transfer_s(x.nbytes), "reads every element once", emit)


def kernels(target: str) -> Iterable[CudaKernel]:
    """Those of reductions."""
    return ()
