"""Aggregation and Markdown of a comparison, from figures that are written down here."""

from typing import Any

import pytest

from bench import table
from bench.engines import LOADERS
from bench.results import Record


def record(model: str = "net", threads: int = 1, batch: int = 1, **ms: float | list[float] | str) -> Record:
    """Of each engine its turns' milliseconds, or in words why it has none; others are not installed."""
    engines: dict[str, Any] = {}
    for name in LOADERS:
        told = ms.get(name, "not installed")
        turns = told if isinstance(told, list) else [told]
        engines[name] = {"failure": told} if isinstance(told, str) else {"turns": [{"ms": t} for t in turns]}
    return {"model": model, "threads": threads, "batch": batch, "engines": engines}


def test_a_time_is_the_median_over_the_turns() -> None:
    r = record(tinycnn=[3.0, 1.0, 2.0], onnxruntime=[8.0, 4.0])
    assert (table.median(r, "tinycnn"), table.median(r, "onnxruntime"), table.median(r, "ncnn")) == (2.0, 6.0, None)
    assert table.speedup(r, "onnxruntime") == 3.0


def test_an_engine_that_failed_on_the_way_has_no_time() -> None:
    r = record(tinycnn=[1.0, 1.0], onnxruntime=2.0)
    r["engines"]["tinycnn"]["failure"] = "not done within 1 s"
    assert table.median(r, "tinycnn") is None and table.speedup(r, "onnxruntime") is None


def test_the_best_peer_is_the_fastest_that_was_measured() -> None:
    assert table.over_best(record(tinycnn=2.0, onnxruntime=8.0, openvino=5.0, ncnn="wrong")) == 2.5
    assert table.over_best(record(tinycnn=2.0)) is None
    assert table.over_best(record(onnxruntime=2.0)) is None


def test_the_geometric_mean_is_of_what_is_known() -> None:
    assert table.geometric_mean([2.0, None, 8.0]) == pytest.approx(4.0)
    assert table.geometric_mean([None]) is None


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0243, "0.024"), (5.354, "5.35"), (55.54, "55.5"), (1234.5, "1234")]
)
def test_milliseconds(value: float | None, text: str) -> None:
    assert table.milliseconds(value) == text


RECORDS = [
    record("b", onnxruntime=3.0, tinycnn=2.0, openvino=4.0),
    record("a", onnxruntime=6.0, tinycnn=1.0, openvino="status -11: "),
    record("a", threads=2, batch=8, onnxruntime=2.0, tinycnn=4.0, openvino=8.0),
]


def test_the_summary_counts_what_it_is_over() -> None:
    assert table.summary(RECORDS)[2:] == [
        "| 1 thread, batch 1 | 2 | 3.00 | 2.00 (1) | - | 3.00 | 1.50 b |",
        "| 2 threads, batch 8 | 1 | 0.50 | 2.00 | - | 0.50 | 0.50 a |",
    ]


def test_times_by_network() -> None:
    [(title, group), _] = table.groups(RECORDS)
    assert title == "1 thread, batch 1"
    assert table.times(group) == [
        "| network | tinycnn ms | onnxruntime ms | openvino ms | ncnn ms | over onnxruntime | over the best |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| a | 1.00 | 6.00 | - | - | 6.00 | 6.00 |",
        "| b | 2.00 | 3.00 | 4.00 | - | 1.50 | 1.50 |",
        "| geometric mean |  |  |  |  | 3.00 | 3.00 |",
    ]


def test_a_wrong_engine_shows_its_error_and_no_time() -> None:
    wrong = record(tinycnn=1.0, onnxruntime=1.0)
    wrong["engines"]["ncnn"] = {"failure": "wrong", "error": 3.1, "turns": [{"load_ms": 7.0, "error": 3.1}]}
    assert table.times([wrong])[2] == "| net | 1.00 | 1.00 | - | - | 1.00 | 1.00 |"
    assert table.costs([wrong])[2].endswith("| - | - | - | 3e+00 |")


def test_failures_are_told_once_for_each_reason() -> None:
    assert table.failures(RECORDS) == [
        "* ncnn: not installed: everything",
        "* openvino: status -11: : a (1 thread, batch 1)",
    ]
    assert table.failures([record(**dict.fromkeys(LOADERS, 1.0))]) == []


def test_turns_that_differ_too_much_are_told_of() -> None:
    steady, restless = record(tinycnn=[1.0, 1.24], ncnn="wrong"), record("b", onnxruntime=[20.0, 10.0, 15.0])
    assert table.unsteady([steady, restless]) == ["* onnxruntime: b (1 thread, batch 1): 10.0 to 20.0 ms"]
    assert table.unsteady([record(tinycnn=1.0)]) == []


def test_every_part_stands_in_the_report() -> None:
    lines = table.report(RECORDS)
    heads = [line for line in lines if line.startswith("## ")]
    assert len(heads) == 3 + 2 * 2
    for name, group in table.groups(RECORDS):
        text = "\n".join(lines)
        assert name in text and "\n".join(table.times(group)) in text and "\n".join(table.costs(group)) in text
