"""One small comparison from the command to the report, and engines that fail on the way."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench import batch, compare, engines
from bench.results import Record, read
from bench.worker import error, work

pytest.importorskip("onnxruntime")
pytest.importorskip("matplotlib")

LENET = Path(__file__).parents[2] / "models" / "lenet5.onnx"
OPTIONS = ("--seconds", "0", "--rounds", "1")


def run(models: Path, out: Path, *options: str) -> list[Record]:
    compare.main([str(models), "--out", str(out), *OPTIONS, *options])
    return list(read(out / "results.jsonl")[1].values())


def test_lenet(tmp_path: Path) -> None:
    records = run(LENET, tmp_path, "--threads", "1", "--batch", "1", "2")
    assert [(r["model"], r["batch"]) for r in records] == [("lenet5", 1), ("lenet5", 2)]
    for record in records:
        for name in ("tinycnn", "onnxruntime"):
            engine = record["engines"][name]
            assert engine["error"] <= 1e-5 and "failure" not in engine
            assert all(turn["runs"] >= 3 for turn in engine["turns"])
        for name in ("openvino", "ncnn"):
            engine = record["engines"][name]
            assert engine.get("failure") or engine["error"] <= 1e-5
    report = (tmp_path / "report.md").read_text()
    assert "## 1 thread, batch 2: milliseconds" in report and "| lenet5 |" in report
    assert (tmp_path / "speedup.svg").exists()


def test_what_is_held_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Record] = []

    def measure(model: compare.Model, wanted: Record) -> Record:
        measured.append(wanted)
        return wanted | {"engines": {}}

    monkeypatch.setattr(compare, "measure", measure)
    run(LENET, tmp_path, "--batch", "1")
    assert [r["threads"] for r in measured] == [1, 2]
    run(LENET, tmp_path, "--batch", "1", "8")
    assert [(r["batch"], r["threads"]) for r in measured[2:]] == [(8, 1), (8, 2)]
    run(LENET, tmp_path, "--batch", "1", "--again")
    assert len(measured) == 6
    assert len(read(tmp_path / "results.jsonl")[1]) == 2


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Engines in the order of their turns; ncnn fails from the second on, openvino is wrong."""
    turns: list[str] = []

    def turn(task: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        turns.append(task["engine"])
        if task["engine"] == "openvino":
            return {"error": 0.5, "failure": "wrong"}
        if task["engine"] == "ncnn" and turns.count("ncnn") == 2:
            return {"failure": "not done within 1 s"}
        return {"error": 1e-7, "ms": 1.0}

    monkeypatch.setattr(compare, "turn", turn)
    return turns


def test_engines_take_turns_and_one_that_fails_stays_out(told: list[str]) -> None:
    tasks: compare.Tasks = {name: {"engine": name} for name in engines.LOADERS}
    found = compare.in_turn(tasks, 3, 1.0)
    assert told == [*engines.LOADERS, "tinycnn", "onnxruntime", "ncnn", "tinycnn", "onnxruntime"]
    assert {name: engine.get("failure") for name, engine in found.items()} == {
        "tinycnn": None, "onnxruntime": None, "openvino": "wrong", "ncnn": "not done within 1 s",
    }  # fmt: skip
    assert found["openvino"]["error"] == 0.5
    assert len(found["tinycnn"]["turns"]) == 3


def test_an_engine_that_is_missing_has_no_turn(told: list[str]) -> None:
    tasks: compare.Tasks = {"tinycnn": {"engine": "tinycnn"}, "ncnn": {"failure": "not installed"}}
    assert compare.in_turn(tasks, 2, 1.0)["ncnn"] == {"failure": "not installed"}
    assert told == ["tinycnn", "tinycnn"]


def test_a_missing_engine_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "version", lambda name: None if name in ("openvino", "ncnn", "pnnx") else "1")
    [record] = run(LENET, tmp_path, "--threads", "1", "--batch", "1")
    assert record["engines"]["openvino"] == record["engines"]["ncnn"] == {"failure": "not installed"}
    assert "openvino is not installed" in capsys.readouterr().out
    assert "* openvino: not installed: everything" in (tmp_path / "report.md").read_text()


def test_without_the_reference_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "version", lambda name: None)
    with pytest.raises(SystemExit):
        run(LENET, tmp_path)
    assert "pip install 'tinycnn[bench]'" in capsys.readouterr().err


def test_broken_files_and_fixed_batches_do_not_end_the_run(tmp_path: Path) -> None:
    """The mean over a batch makes every picture's result depend on the others."""
    folder, out = tmp_path / "models", tmp_path / "out"
    folder.mkdir()
    (folder / "broken.onnx").write_bytes(b"no model")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy")
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[0]), helper.make_node("Add", ["x", "m"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "mean.onnx")
    broken, single, several = run(folder, out, "--threads", "1", "--batch", "1", "8")[1:]
    assert all(engine["failure"].startswith("cannot be prepared") for engine in broken["engines"].values())
    assert "failure" not in single["engines"]["tinycnn"]
    assert all(e["failure"].startswith("no batch of 8 in onnxruntime: wrong") for e in several["engines"].values())
    assert "cannot be prepared" in (out / "report.md").read_text()


def test_a_wrong_result_is_not_timed(tmp_path: Path) -> None:
    feeds, reference = tmp_path / "feeds.npz", tmp_path / "reference.npz"
    single = batch.at_batch(LENET, 1, tmp_path)
    np.savez(feeds, *batch.feeds(single))
    task: dict[str, Any] = {
        "engine": "onnxruntime", "model": str(single), "threads": 1, "feeds": str(feeds), "reference": str(reference),
        "seconds": 0, "tolerance": 1e-3,
    }  # fmt: skip
    assert work(**task, write=True) == {}
    assert work(**task)["ms"] is not None
    with np.load(reference) as file:
        np.savez(reference, file["arr_0"] + 1)
    told = json.loads(json.dumps(work(**task)))
    assert told["error"] > 1e-3 and "ms" not in told


ONE = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("results", "references", "wanted"),
    [
        ([ONE], [ONE], 0.0),
        ([ONE * 1.5], [ONE * -2], 1.75),
        ([ONE], [ONE.T], np.inf),
        ([ONE], [ONE, ONE], np.inf),
        ([ONE * np.nan], [ONE], np.inf),
        ([ONE * np.inf], [ONE * np.inf], 0.0),
        ([np.array([1, 2, 3, 4])], [np.array([1, 2, 3, 5])], 0.25),
        ([ONE[:0]], [ONE[:0]], 0.0),
    ],
)
def test_errors(results: list[np.ndarray], references: list[np.ndarray], wanted: float) -> None:
    assert error(results, references) == wanted


@pytest.mark.parametrize("peer", ["openvino", "ncnn"])
def test_peers_agree(tmp_path: Path, peer: str) -> None:
    missing = [name for name in (peer, *(["pnnx"] if peer == "ncnn" else [])) if not importlib.util.find_spec(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    [record] = run(LENET, tmp_path, "--threads", "2", "--batch", "3")
    assert "failure" not in record["engines"][peer] and record["engines"][peer]["error"] <= 1e-5
