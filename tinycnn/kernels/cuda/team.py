"""Who computes what where an axis is folded: threads of a block that share a line along it."""

import math
from dataclasses import dataclass

from tinycnn.kernels.cuda.launch import over


@dataclass(frozen=True)
class Team:
    """A block takes `lines` lines along the axis side by side; `members` threads, a power of 4, share each.

    adjacent  whether neighbouring threads share a line, as where its elements are neighbours in memory; otherwise they
              are on neighbouring lines
    """

    lines: int
    members: int
    adjacent: bool

    @property
    def threads(self) -> int:
        return self.lines * self.members

    @property
    def scratch_bytes(self) -> int:
        """Of shared memory, for each value that a line folds."""
        return 4 * self.threads

    def __str__(self) -> str:
        return f"{'row' if self.adjacent else 'column'}{self.members}"


ROW, LONG_ROW = Team(16, 16, True), Team(1, 256, True)
COLUMN, LONG_COLUMN = Team(256, 1, False), Team(16, 16, False)
TEAMS = (ROW, LONG_ROW, COLUMN, LONG_COLUMN)


def choose(lines: int, axis: int, inner: int, multiprocessors: int) -> Team:
    """The team for so many lines of `axis` elements that lie `inner` apart."""
    if axis <= 4 or (inner > 1 and lines >= multiprocessors * COLUMN.lines):
        return COLUMN
    if inner > 1:
        return LONG_COLUMN
    return ROW if axis <= 8 * ROW.members else LONG_ROW


def parts(lines: int, axis: int, team: Team, multiprocessors: int) -> int:
    """How many parts a line is cut into, to be folded in turn: more than one if it is long and other lines are few."""
    if axis <= 32 * team.members:
        return 1
    return min(axis // (8 * team.members), max(1, multiprocessors // over(lines, team.lines)), math.isqrt(axis))
