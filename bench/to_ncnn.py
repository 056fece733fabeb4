"""ONNX files as ncnn's, by pnnx: https://github.com/Tencent/ncnn/tree/master/tools/pnnx."""

import importlib.util
import os
import subprocess
from pathlib import Path

import onnx
from onnx import version_converter

# pnnx reads a Softmax, whatever its opset, as opset 13 defines it.
OPSET = 13


class ConversionError(Exception):
    """The model has no ncnn file; says why."""


def program() -> Path:
    """pnnx's executable, which needs nothing; its Python package would import torch."""
    spec = importlib.util.find_spec("pnnx")
    if spec is None or spec.origin is None:
        raise ConversionError("pnnx is not installed: pip install --no-deps pnnx")
    return Path(spec.origin).with_name("pnnx.exe" if os.name == "nt" else "pnnx")


def convert(path: Path, folder: Path, timeout_s: float) -> Path:
    """The .param file in the folder, weights in f32 beside it. Raises ConversionError."""
    source, target = folder / "model.onnx", folder / "model.ncnn.param"
    command = [str(program()), str(source), "fp16=0"]
    try:
        model = onnx.load(path)
        if any(opset.domain in ("", "ai.onnx") and opset.version < OPSET for opset in model.opset_import):
            model = version_converter.convert_version(model, OPSET)
        onnx.save(model, source)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ConversionError(f"pnnx takes longer than {timeout_s:g} s") from None
    except (RuntimeError, ValueError) as error:  # the version converter's
        raise ConversionError(f"cannot be lifted to opset {OPSET} for pnnx: {error}") from error
    for leftover in folder.glob("model*"):
        if leftover.stem != "model.ncnn":
            leftover.unlink()
    if done.returncode or not target.exists():
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise ConversionError(f"pnnx ends with status {done.returncode}: {''.join(last)[:160]}")
    return target
