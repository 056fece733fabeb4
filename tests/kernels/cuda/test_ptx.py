"""Every CUDA kernel compiles to PTX without a device, for every capability, and keeps all it has in registers."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.kernels.cuda.assemble import ptxas
from tinycnn.kernels.cuda import all_kernels
from tinycnn.kernels.cuda.device import CAPABILITIES

PARTS = 4  # processes that share the kernels of a target
REGISTERS = 65536  # of a multiprocessor; CUDA C++ Programming Guide, technical specifications
LEAST = 8  # registers that are handed out together, a thread

pytestmark = pytest.mark.skipif(find_spec("numba_cuda") is None, reason="no numba-cuda")


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("target", [f"sm_{capability}" for capability in CAPABILITIES])
def test_every_kernel_compiles(target: str, part: int) -> None:
    script = Path(__file__).with_name("assemble.py")
    command = [sys.executable, str(script), target, str(part), str(PARTS)]
    done = subprocess.run(command, env={**os.environ, "NUMBA_ENABLE_CUDASIM": "0"}, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [t["name"] for t in told] == [kernel.name for kernel in list(all_kernels(target))[part::PARTS]]
    for t in told:
        assert t["entries"] == [t["name"]]
        assert t["target"] == [target]
    if ptxas() is None:
        pytest.skip("compiled, but there is no ptxas to assemble with: pip install nvidia-cuda-nvcc")
    assert [t for t in told if "error" in t or t["stack"] or t["spills"]] == []
    for t in told:
        held = -(-t["registers"] // LEAST) * LEAST * t["threads"] * t["resident"]
        assert held <= REGISTERS, t["name"]
