"""The option of bench_kernels.py."""

import pytest

from bench.shapes import FOLDER, networks, read


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tinycnn")
    group.addoption("--network", action="append", choices=networks(), help="its shapes; default: all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shape" in metafunc.fixturenames:
        shapes = [
            shape
            for name in metafunc.config.getoption("network") or networks()
            for shape in read(FOLDER / f"{name}.txt")
        ]
        metafunc.parametrize("shape", shapes, ids=str)
