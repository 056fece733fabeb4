"""Folds of a team's values through shared memory, by fours and in a fixed order."""

from collections.abc import Callable
from typing import Any

from tinycnn.kernels.cuda.simt import cuda, inline, load_shared, modulo, over, store_shared
from tinycnn.kernels.cuda.team import Team


def place(team: Team) -> Any:
    """Function (thread) -> its line in the block, its number among the members."""
    lines, members = team.lines, team.members

    @inline
    def row(t):
        return over(t, members), modulo(t, members)

    @inline
    def column(t):
        return modulo(t, lines), over(t, lines)

    return row if team.adjacent else column


def tree(team: Team, combine: Callable[..., Any]) -> Any:
    """Function (memory, thread, value) -> the fold of all members' values, to each of them.

    memory  team.scratch_bytes of shared memory, for this fold alone
    Every thread of the block must call it.
    """
    pace = 4 if team.adjacent else 4 * team.lines
    where = place(team)
    levels = tuple(4**level for level in reversed(range(5)) if 4**level < team.members)

    @inline
    def fold(memory, t, value):
        _, member = where(t)
        at = memory + 4 * t
        store_shared(at, value)
        for step in levels:
            cuda.syncthreads()
            if member < step:
                for i in range(1, 4):
                    value = combine(value, load_shared(at + i * step * pace))
                store_shared(at, value)
        cuda.syncthreads()
        return load_shared(at - member * pace)

    @inline
    def alone(memory, t, value):
        return value

    return fold if levels else alone
