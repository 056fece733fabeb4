"""Offsets for buffers whose lifetimes are known: big ones first, each in the lowest gap that is free while it lives."""

from collections.abc import Sequence

from tinycnn.planner.program import Buffer

ALIGNMENT = 64


def place(buffers: Sequence[Buffer]) -> int:
    """Sets `offset` of every buffer without weights; returns the arena's size in bytes.

    Two buffers share bytes only if no row may touch both. Source: greedy by size, Pisarchyk and Lee 2020,
    arXiv:2001.03288, section 4.3.
    """
    placed: list[tuple[int, Buffer]] = []
    end = 0
    for buffer in sorted((b for b in buffers if b.weights is None), key=lambda b: (-b.nbytes, b.first)):
        alive = sorted((at, at + b.nbytes) for at, b in placed if b.first <= buffer.last and buffer.first <= b.last)
        offset = 0
        for start, stop in alive:
            if start - offset >= buffer.nbytes:
                break
            offset = max(offset, -(-stop // ALIGNMENT) * ALIGNMENT)
        buffer.offset = offset
        placed.append((offset, buffer))
        end = max(end, offset + buffer.nbytes)
    return end
