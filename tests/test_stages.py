"""The stages of opening a session: each counts its own seconds, and only where somebody records."""

import itertools
import threading

import pytest

from tests.planner.programs import chain, node, normal
from tinycnn import stages
from tinycnn.session import InferenceSession
from tinycnn.stages import record, stage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second passes from one look at the clock to the next."""
    seconds = itertools.count()
    monkeypatch.setattr(stages.time, "perf_counter", lambda: float(next(seconds)))


@pytest.mark.usefixtures("clock")
def test_a_stage_does_not_count_those_within() -> None:
    with record() as told:
        with stage("outer"):
            with stage("inner"):
                pass
            with stage("inner"):
                pass
    assert (told["outer"].seconds, told["outer"].times) == (3.0, 1)
    assert (told["inner"].seconds, told["inner"].times) == (2.0, 2)
    assert told["never"].times == 0


@pytest.mark.usefixtures("clock")
def test_a_stage_that_fails_has_ended() -> None:
    with record() as told:
        with pytest.raises(ValueError), stage("one"):
            raise ValueError
        with stage("two"):
            pass
    assert told["one"].seconds == told["two"].seconds == 1.0
    assert told.running == []


def test_nothing_is_recorded_outside_and_in_other_threads() -> None:
    def elsewhere() -> None:
        with stage("elsewhere"):
            pass

    with stage("before"):
        pass
    with record() as told:
        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()
    elsewhere()
    assert told.stages == {}


def test_a_session_enters_every_stage() -> None:
    graph = chain((1, 3, 8, 9), node("Conv", "x w", "y"), w=normal(5, 3, 1, 1))
    with record() as told:
        InferenceSession(graph)
    assert {"parse", "optimise", "plan", "pack"} <= set(told.stages)
    assert told["parse"].times == told["plan"].times == 1
