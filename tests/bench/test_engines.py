"""What engines do besides computing."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from bench.engines import LOADERS

ROOT = Path(__file__).parents[2]
# An audit hook cannot be removed, so each engine gets an interpreter of its own; forked processes inherit it.
PROGRAM = """
import os, sys
sys.path.append({root!r})
from pathlib import Path
from bench.engines import LOADERS

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        os.write(2, f"connects: {{arguments}}".encode())
        raise OSError("no connections")

sys.addaudithook(refuse)
LOADERS[{engine!r}](Path({model!r}), 1)
"""


@pytest.mark.parametrize("engine", [name for name in LOADERS if name != "ncnn"])  # it wants a file of pnnx
def test_no_engine_opens_a_connection(engine: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} not installed")
    program = PROGRAM.format(root=str(ROOT), engine=engine, model=str(ROOT / "models" / "lenet5.onnx"))
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "connects" not in done.stderr, done.stderr
