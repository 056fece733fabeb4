"""Every model of the official ONNX backend suite: imported, or refused in one error of ours."""

import warnings
from pathlib import Path

import onnx
import pytest
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from tinycnn.converters import load_onnx
from tinycnn.errors import TinyCnnError, UnsupportedModelError

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")


def cases(kind: str) -> list[TestCase]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(load_model_tests(kind=kind))


@pytest.mark.parametrize("kind", KINDS)
def test_import(kind: str) -> None:
    refused, imported, foreign = [], [], []
    for case in cases(kind):
        source = Path(case.model_dir) / "model.onnx" if case.model_dir else case.model
        assert isinstance(source, Path | onnx.ModelProto)
        try:
            load_onnx(source)
            imported.append(case.name)
        except UnsupportedModelError as error:
            assert error.problems
            refused.append(case.name)
        except TinyCnnError as error:
            foreign.append(f"{case.name}: {error}")
    assert not foreign
    print(f"{kind}: {len(imported)} imported, {len(refused)} refused: {', '.join(refused)}")
    assert len(refused) <= len(imported) // 10
