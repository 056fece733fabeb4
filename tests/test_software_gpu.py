"""Networks on a CUDA device of software, where there is none of another kind: the tests marked gpu, in a process of
their own, since Numba decides when it is imported whether it simulates."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.cuda import software

pytestmark = pytest.mark.skipif(software.unavailable() is not None, reason=str(software.unavailable()))
FAST = "squeezenet or shufflenet or inception_v1 or densenet121"


@pytest.mark.parametrize(
    ("device", "path", "chosen", "least"),
    [
        ("software", "tests/test_cuda.py", f"test_classic_networks and ({FAST})", 15),
        ("software", "tests/test_cuda.py", "test_plans or test_results", 2),
        ("software", "tests/kernels/cuda", "test_tensor_cores and bias", 3),
        ("software-8.0", "tests/test_cuda.py", "test_classic_networks and shufflenet", 4),
        ("software-7.5", "tests/test_cuda.py", f"test_classic_networks and f32 and not tf32 and ({FAST})", 4),
    ],
)
def test_gpu_tests_pass_on_it(device: str, path: str, chosen: str, least: int) -> None:
    command = [sys.executable, "-P", "-m", "pytest", path, "-m", "gpu", "-k", chosen, "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_"))}
    environment["TINYCNN_GPU"] = device
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    assert counts["passed"] >= least and "skipped" not in counts, done.stdout[-1000:]
