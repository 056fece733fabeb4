"""Teams that share lines, small ones for the simulator: it has a thread of Python for each of a block."""

from types import ModuleType

import pytest

from tinycnn.kernels.cuda.team import COLUMN, LONG_COLUMN, LONG_ROW, ROW, Team, choose

SMALL = {
    ROW: Team(7, 4, True),
    LONG_ROW: Team(2, 16, True),
    COLUMN: Team(32, 1, False),
    LONG_COLUMN: Team(5, 4, False),
}


def use_small(family: ModuleType, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the family would choose a team of its own, in the simulator."""
    if place == "simulator":
        monkeypatch.setattr(family, "choose", lambda *args: SMALL[choose(*args)])
