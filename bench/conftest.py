"""Options of the benchmarks."""

from pathlib import Path

import pytest

from bench.shapes import FOLDER, networks, read


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tinycnn")
    group.addoption("--network", action="append", choices=networks(), help="shapes of bench_kernels; default: all")
    group.addoption("--models", action="append", type=Path, help="model files or folders of them for bench_models")
    group.addoption("--threads", action="append", type=int, help="threads of both engines; default: 1 and 2")
    group.addoption("--batch", action="append", type=int, help="batch of models whose first size is free; default: 1")
    group.addoption("--seconds", type=float, default=1.0, help="timed seconds a model; default: 1")


def files(paths: list[Path]) -> list[Path]:
    return sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*.onnx")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    option = metafunc.config.getoption
    if "shape" in metafunc.fixturenames:
        shapes = [shape for name in option("network") or networks() for shape in read(FOLDER / f"{name}.txt")]
        metafunc.parametrize("shape", shapes, ids=str)
    if "path" in metafunc.fixturenames:
        metafunc.parametrize("path", files(option("models") or []), ids=lambda path: path.stem)
    if "threads" in metafunc.fixturenames:
        metafunc.parametrize("threads", option("threads") or [1, 2], ids=lambda n: f"{n}t")
    if "batch" in metafunc.fixturenames:
        metafunc.parametrize("batch", option("batch") or [1], ids=lambda n: f"n{n}")
