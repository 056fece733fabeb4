"""The file of a comparison: what it holds is kept, what it cannot vouch for is refused."""

from pathlib import Path

import pytest

from bench.results import CELL, Record, Results, cell

MACHINE = {"date": "2026-01-01", "processor": "one", "versions": {"ncnn": None}}


def record(model: str) -> Record:
    return {name: 1 for name in CELL} | {"model": model, "engines": {}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "results.jsonl"
    Results(path, MACHINE).add(record("a"))
    return path


def test_cells_are_kept(path: Path) -> None:
    Results(path, MACHINE | {"date": "2026-01-02"}).add(record("b"))
    again = Results(path, MACHINE)
    assert list(again.records.values()) == [record("a"), record("b")]
    assert again.machine["date"] == MACHINE["date"]


@pytest.mark.parametrize("field", CELL)
def test_a_cell_is_another_when_any_of_its_fields_is(path: Path, field: str) -> None:
    results = Results(path, MACHINE)
    assert cell(record("a")) in results.records
    assert cell(record("a") | {field: "other"}) not in results.records


def test_an_unfinished_line_is_dropped_and_what_follows_is_whole(path: Path) -> None:
    with path.open("a") as file:
        file.write('{"model": "b", "sha')
    Results(path, MACHINE).add(record("c"))
    assert [r["model"] for r in Results(path, MACHINE).records.values()] == ["a", "c"]


def test_another_machine_is_refused_until_all_is_measured_again(path: Path) -> None:
    other = MACHINE | {"processor": "two", "versions": {"ncnn": "1"}}
    before = path.read_text()
    with pytest.raises(SystemExit, match=r"results\.jsonl: measured with another processor, versions; .*--again"):
        Results(path, other)
    assert path.read_text() == before
    assert Results(path, other, again=True).records == {}
    assert Results(path, other).machine == other


@pytest.mark.parametrize("text", ["", "text\n", "[1]\n", '{"model": 1}\n', '{"machine": {}}\n{"model": 1}\n'])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(text)
    with pytest.raises(SystemExit, match="not the results of a comparison"):
        Results(path, MACHINE)
    assert path.read_text() == text
