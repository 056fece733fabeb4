"""Errors against float64: of a network whose results are known to be close, and of one that is not what it says."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from bench import errors

LENET = Path(__file__).parents[2] / "models" / "lenet5.onnx"


def test_nothing_of_a_model_in_doubles_stays_a_float() -> None:
    model = errors.in_doubles(onnx.load(LENET))
    graph = model.graph
    kinds = {tensor.data_type for tensor in graph.initializer}
    kinds |= {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert errors.F64 in kinds and errors.F32 not in kinds


def test_the_table_of_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    assert errors.main([str(LENET)]) == 0
    _, _, row = capsys.readouterr().out.splitlines()
    name, ours, theirs, same = (cell.strip() for cell in row.strip("|").split("|"))
    assert (name, same) == ("lenet5", "yes")
    assert 0 < float(ours) < 1e-5 and 0 < float(theirs) < 1e-5


def test_the_worst_output_counts() -> None:
    wanted = [np.array([1.0, 2.0]), np.array([4.0, -8.0])]
    assert errors.compared([np.array([1.0, 2.0]), np.array([4.0, -7.0])], wanted) == (0.125, True)
    assert errors.compared([np.array([3.0, 2.0]), np.array([4.0, -8.0])], wanted) == (1.0, False)
