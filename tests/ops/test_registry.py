"""Operators are found by kind before anything imported them."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

from tinycnn import ops
from tinycnn.ops import REGISTRY, Op
from tinycnn.ops.activation import ELEMENTWISE, _Elementwise


def defined() -> list[type[Op]]:
    """The operators that the files of the package define."""
    modules = [importlib.import_module(f"{ops.__name__}.{m.name}") for m in pkgutil.iter_modules(ops.__path__)]
    found = [(c, module) for module in modules for _, c in inspect.getmembers(module, inspect.isclass)]
    public = [(c, module) for c, module in found if issubclass(c, Op) and c is not Op and c.__name__[0] != "_"]
    return [c for c, module in public if c.__module__ == module.__name__]


def in_a_fresh_process(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_every_operator_is_found_by_its_kind_alone() -> None:
    kinds = sorted(operator.kind for operator in defined())
    code = f"from tinycnn.ops import REGISTRY\nfor kind in {kinds}:\n    print(REGISTRY[kind].kind)"
    assert in_a_fresh_process(code) == kinds
    assert set(kinds) <= set(REGISTRY) and len(REGISTRY) >= len(kinds) > 100


def test_looking_one_up_imports_no_other() -> None:
    code = "import sys\nfrom tinycnn.ops import REGISTRY\nREGISTRY['Conv']\nprint(*sys.modules)"
    loaded = in_a_fresh_process(code)
    assert "tinycnn.ops.conv" in loaded and "tinycnn.ops.gemm" not in loaded


@pytest.mark.parametrize("kind", ["", "conv", "Op", "Pool", "_Pool", "Registry", "..conv", "no such operator"])
def test_what_is_no_kind_is_not_there(kind: str) -> None:
    assert kind not in REGISTRY and REGISTRY.get(kind) is None


def test_the_elementwise_operators_are_listed() -> None:
    assert sorted(ELEMENTWISE) == sorted(kind for kind, c in REGISTRY.items() if issubclass(c, _Elementwise))
