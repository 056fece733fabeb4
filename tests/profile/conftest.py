"""A machine that needs no measuring, so that figures follow from it."""

import pytest

from tinycnn.profile import measure
from tinycnn.profile.machine import Machine


@pytest.fixture(autouse=True)
def known_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "measure", lambda isa, threads: Machine(threads, 100.0, 10.0))
