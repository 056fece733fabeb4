"""The onnx package's own suite for backends: every node test, the models that PyTorch exported, the light real ones.

A test passes, or is skipped because its model is refused for a reason that REFUSED knows. `conftest.py` prints the
counts.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto
from onnx.backend.test import BackendTest

from tinycnn.errors import Problem, UnsupportedModelError
from tinycnn.onnx_backend import Rep, TinyCnnBackend

# Operator -> the only reason for which a model of the suite may be refused.
REFUSED = {
    "Dropout": "it would drop at random",
    "Scan": "its form before opset 9",
    "ai.onnx.preview.training.Gradient": "the onnx package's reference evaluator refuses it",
}

# Their results are random zeros and ones: any are as good, in the right shape and dtype.
RANDOM = [f"test_bernoulli{how}{form}" for how in ("", "_double", "_seed") for form in ("", "_expanded")]

NARROW_RTOL = {"bfloat16": 2.0**-6}  # two units in the last place


def is_known(problem: Problem) -> bool:
    return REFUSED.get(problem.operator, "\0") in problem.reason


class Judged(TinyCnnBackend):
    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> Rep:
        try:
            return super().prepare(model, device)
        except UnsupportedModelError as error:
            if not all(map(is_known, error.problems)):
                raise
            pytest.skip("; ".join(map(str, error.problems)))


class Suite(BackendTest):
    @classmethod
    def assert_similar_outputs(
        cls, ref_outputs: Any, outputs: Any, rtol: float, atol: float, model_dir: str | None = None
    ) -> None:
        agree(list(ref_outputs), list(outputs), rtol, atol)


def agree(expected: Any, got: Any, rtol: float, atol: float) -> None:
    """Lists of equal lengths, arrays of equal shape and dtype, integers, truths and strings equal, floats close."""
    if isinstance(expected, list):
        assert isinstance(got, list)
        assert len(got) == len(expected)
        for one, other in zip(expected, got, strict=True):
            agree(one, other, rtol, atol)
        return
    if expected is None:
        assert got is None
        return
    assert isinstance(got, np.ndarray)
    assert (got.dtype, got.shape) == (expected.dtype, np.shape(expected))
    if expected.dtype.kind in "OUiub" and not atol >= 1:
        np.testing.assert_array_equal(got, expected)
        return
    if expected.dtype.kind == "V":
        rtol = max(rtol, NARROW_RTOL.get(expected.dtype.name, 0))
        got, expected = got.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol)


@pytest.fixture(scope="module", autouse=True)
def light_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where the suite puts the data of the light models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONNX_MODELS", str(tmp_path_factory.mktemp("light")))
        yield


def marked(case: type) -> type:
    """Its half for CUDA needs a device; without one it is not even collected."""
    for name in [name for name in vars(case) if name.endswith("_cuda")]:
        if TinyCnnBackend.supports_device("CUDA"):
            setattr(case, name, pytest.mark.gpu(vars(case)[name]))
        else:
            delattr(case, name)
    return case


with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # the suite's own overflows and divisions by zero
    suite = Suite(Judged, __name__, test_kwargs={name: {"atol": 1.0} for name in RANDOM})
globals().update({name: marked(case) for name, case in suite.test_cases.items()})


def test_nothing_is_missing() -> None:
    """A newer onnx package has more tests, never fewer."""
    counts = {name: sum(test.startswith("test_") for test in dir(case)) for name, case in suite.test_cases.items()}
    assert counts["OnnxBackendNodeModelTest"] >= 1500
    assert counts["OnnxBackendPyTorchConvertedModelTest"] >= 80
    assert counts["OnnxBackendPyTorchOperatorModelTest"] >= 30
    assert counts["OnnxBackendRealModelTest"] >= 9
