"""The file of what was measured: read where it fits, passed over with a warning where not, never half-written."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.planner.requests import SHAPES, convolution, measured
from tinycnn import knobs
from tinycnn.errors import OptionError, TinyCnnWarning
from tinycnn.kernels import cache
from tinycnn.kernels.cpu import isa
from tinycnn.planner.select import offers
from tinycnn.planner.tuned import Tuned, describe
from tinycnn.planner.tuned_file import heading, location, read
from tinycnn.tune import keep as keeping
from tinycnn.tune.keep import keep, target_file

ISA = isa.current()


def some(shape: tuple[int, int, int, int, int] = SHAPES[1]) -> dict[str, Tuned]:
    r = convolution(*shape)
    return {describe(r): measured(r, next(offers(r)).name)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tuned.json"
    keep(path, ISA, some())
    return path


def test_what_is_kept_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(ISA, str(file)) == some()
    monkeypatch.setenv(knobs.TUNED.name, str(file))
    assert read(ISA) == some()
    assert read(ISA, "off") == {}


def test_it_is_readable(file: Path) -> None:
    told = json.loads(file.read_text())
    assert {key: told[key] for key in heading(ISA)} == heading(ISA)
    [[request, entry]] = told["choices"].items()
    assert request.startswith("Conv(float32[1x48x7x7]") and entry["measured_ms"][entry["choice"]] == 1.0


def test_off_is_no_file_and_an_absent_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.TUNED.name, "off")
    assert location(ISA) is None and read(ISA) == {}
    with pytest.raises(OptionError, match="absent.json.* does not exist: `tinycnn tune"):
        read(ISA, str(tmp_path / "absent.json"))


def test_by_default_it_lies_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(knobs.TUNED.name)
    monkeypatch.setenv(knobs.CACHE.name, str(tmp_path))
    cache.cache_folder.cache_clear()
    path = target_file(ISA)
    assert path.parent == tmp_path and ISA.name in path.name and heading(ISA)["version"] in path.name
    assert read(ISA) == {}
    keep(path, ISA, some())
    assert read(ISA) == some()
    cache.cache_folder.cache_clear()


def changed(file: Path, key: str, value: Any) -> bytes:
    return json.dumps({**json.loads(file.read_text()), key: value}).encode()


UNFIT: dict[str, Any] = {
    "empty": lambda file: b"",
    "truncated": lambda file: file.read_bytes()[:-40],
    "not text": lambda file: bytes(range(256)),
    "nested": lambda file: b"[" * 100_000,
    "a list": lambda file: b"[]",
    "other JSON": lambda file: b'{"version": 3}',
    "no choices": lambda file: changed(file, "choices", []),
    "a damaged choice": lambda file: changed(file, "choices", {"Conv": {"choice": "direct"}}),
    "format": lambda file: changed(file, "format", "tinycnn tuned choices, 0"),
    "processor": lambda file: changed(file, "processor", "Abacus 3"),
    "isa": lambda file: changed(file, "isa", "mmx"),
    "version": lambda file: changed(file, "version", "0.0.1"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_what_cannot_be_used_is_passed_over_with_one_warning(what: str, file: Path) -> None:
    file.write_bytes(UNFIT[what](file))
    with pytest.warns(TinyCnnWarning, match="tuned.json: tuned choices are not used: it is") as told:
        assert read(ISA, str(file)) == {}
    assert len(told) == 1
    if what in heading(ISA) and what != "format":
        assert heading(ISA)[what] in str(told[0].message)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.warns(TinyCnnWarning, match="not used"):
        assert read(ISA, str(tmp_path)) == {}


@pytest.mark.parametrize("what", UNFIT)
def test_what_is_something_else_is_not_written_over(what: str, file: Path) -> None:
    data = UNFIT[what](file)
    file.write_bytes(data)
    with pytest.raises(OptionError, match=f"tuned.json: .*remove it, or let {knobs.TUNED.name} name another"):
        keep(file, ISA, some())
    assert file.read_bytes() == data and list(file.parent.iterdir()) == [file]


def test_what_others_have_kept_stays(file: Path) -> None:
    keep(file, ISA, some(SHAPES[0]))
    keep(file, ISA, {})
    assert read(ISA, str(file)) == {**some(), **some(SHAPES[0])}


def test_times_on_other_numbers_of_threads_stay(file: Path) -> None:
    [[request, tuned]] = some().items()
    for threads in (2, 4):
        keep(file, ISA, {request: Tuned(tuned.choice, tuned.measured_ms, tuned.predicted_ms, {threads: {"a": 1.0}})})
    assert read(ISA, str(file))[request].on_threads == {2: {"a": 1.0}, 4: {"a": 1.0}}


def test_a_failure_leaves_the_file_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*arguments: object, **more: object) -> str:
        raise KeyboardInterrupt

    before = file.read_bytes()
    monkeypatch.setattr(keeping.json, "dumps", failing)
    with pytest.raises(KeyboardInterrupt):
        keep(file, ISA, some(SHAPES[0]))
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_without_a_file_to_keep_it_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.TUNED.name, "off")
    with pytest.raises(OptionError, match=f"{knobs.TUNED.name} is 'off'"):
        target_file(ISA)


def test_a_file_that_fits_brings_no_warning(file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(ISA, str(file))
