"""Compiles a part of all CUDA kernels without a device, in a process without the simulator, and tells as JSON.

    python tests/kernels/cuda/assemble.py TARGET PART PARTS

One line a kernel: its name and, where ptxas is found, stack, spills and registers.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def ptxas() -> str | None:
    """Of the package nvidia-cuda-nvcc, which fits the compiler's PTX; else of the machine."""
    package = find_spec("nvidia")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for found in Path(folder).glob("*/bin/ptxas"):
            return str(found)
    return shutil.which("ptxas")


def assembled(tool: str, text: str, target: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(text)
        command = [tool, "-arch", target, "-v", str(source), "-o", str(source.with_suffix(".cubin"))]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"error": done.stderr}
    stack, spilled = re.search(r"(\d+) bytes stack", done.stderr), re.search(r"(\d+) bytes spill stores", done.stderr)
    used = re.search(r"Used (\d+) registers", done.stderr)
    assert stack and spilled and used, done.stderr
    return {"stack": int(stack[1]), "spills": int(spilled[1]), "registers": int(used[1])}


def main(target: str, part: int, parts: int) -> None:
    from tinycnn.kernels.cuda import all_kernels, native

    tool = ptxas()
    for kernel in list(all_kernels(target))[part::parts]:
        text = native.ptx(kernel)
        told = {"name": kernel.name, "threads": kernel.threads, "resident": kernel.resident}
        told["entries"] = re.findall(r"\.visible \.entry (\w+)\(", text)
        told["target"] = re.findall(r"^\.target (\w+)", text, re.M)
        print(json.dumps(told | (assembled(tool, text, target) if tool else {})), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
