"""Lets tests import their neighbours, and CUDA kernels run in Numba's simulator unless told otherwise."""

import os
import sys
from pathlib import Path

# Last, so that `tinycnn` is the installed one: beside the sources it would miss converters and models.
sys.path.append(str(Path(__file__).parent))
# A device of software, see tests/kernels/cuda/software.py, takes kernels as LLVM of today reads them.
if os.environ.get("TINYCNN_GPU"):
    os.environ |= {"NUMBA_ENABLE_CUDASIM": "0", "LLVMLITE_ENABLE_IR_LAYER_TYPED_POINTERS": "0"}
# Numba reads it when it is first imported; NUMBA_ENABLE_CUDASIM=0 is for machines with a device, see `-m gpu`.
os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")
# What this machine's user measured chooses other algorithms than tests expect.
os.environ["TINYCNN_TUNED"] = "off"
