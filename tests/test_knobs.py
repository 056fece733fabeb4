"""Environment variables: read afresh, checked, named in errors."""

import re
from pathlib import Path

import pytest

from tinycnn import knobs
from tinycnn.errors import OptionError
from tinycnn.knobs import Knob

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("knob", knobs.KNOBS, ids=lambda knob: knob.name)
def test_unset_and_empty_mean_the_default(knob: Knob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(knob.name, raising=False)
    assert knob.get() == knob.default
    monkeypatch.setenv(knob.name, "")
    assert knob.get() == knob.default
    assert knob.meaning


@pytest.mark.parametrize(
    ("knob", "text", "value"),
    [
        (knobs.ISA, "avx2", "avx2"),
        (knobs.CACHE, "/a b/c", "/a b/c"),
        (knobs.MODELS, "/a b/c", "/a b/c"),
        (knobs.ZOO, "zoo", "zoo"),
        (knobs.MIRROR, "file:///a/b", "file:///a/b"),
        (knobs.OFFLINE, "1", True),
        (knobs.OFFLINE, "Yes", True),
        (knobs.OFFLINE, "0", False),
        (knobs.THREADS, "3", 3),
        (knobs.TUNED, "off", "off"),
        (knobs.PLANS, " 1 ", 1),
        (knobs.MEMORY, "1000000", 1_000_000),
        (knobs.OMP_THREADS, "4", 4),
        (knobs.OMP_THREADS, "2,4", 2),
        (knobs.OMP_THREADS, "0", None),
        (knobs.OMP_THREADS, "all", None),
        (knobs.CACHE_HOME, "/home/x/.cache", "/home/x/.cache"),
    ],
    ids=lambda value: value.name if isinstance(value, Knob) else repr(value),
)
def test_a_text_is_read_as_the_knobs_type(
    knob: Knob, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(knob.name, text)
    assert knob.get() == value


@pytest.mark.parametrize("knob", [knobs.THREADS, knobs.PLANS, knobs.MEMORY], ids=lambda knob: knob.name)
@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_another_text_is_refused_with_the_knobs_name(knob: Knob, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knob.name, text)
    with pytest.raises(OptionError, match=re.escape(f"{knob.name}={text!r}")):
        knob.get()


def test_a_switch_is_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.OFFLINE.name, "maybe")
    with pytest.raises(OptionError, match=f"{knobs.OFFLINE.name}='maybe'"):
        knobs.OFFLINE.get()


def test_all_knobs_are_listed_once() -> None:
    declared = [value for value in vars(knobs).values() if isinstance(value, Knob)]
    assert sorted(knob.name for knob in declared) == sorted(knob.name for knob in knobs.KNOBS)
    assert len({knob.name for knob in declared}) == len(declared)


def test_no_source_speaks_of_a_knob_that_does_not_exist() -> None:
    known = {knob.name for knob in knobs.KNOBS} | {"TINYCNN_SHARED", "TINYCNN_GPU"}
    folders = [ROOT / name for name in ("tinycnn", "converters", "models", "tests", "bench")]
    files = [*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.py"))]
    named = {name for path in files for name in re.findall(r"\bTINYCNN_[A-Z_]+\b", path.read_text("utf-8"))}
    assert named <= known
