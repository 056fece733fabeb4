"""The end of a store of part of a vector."""

from typing import Any


def finisher(lanes: int) -> Any:
    """finish(x, r, y, lo, hi, count): clamp(x + r) to y, its first `count` lanes; nothing for count <= 0."""
    from tinycnn.kernels.cpu.simd import at_least, at_most, inline, store, store_part, vectors

    v = vectors(lanes)
    load_part, splat = v.load_part, v.splat

    @inline
    def finish(x, r, y, lo, hi, count):
        if count > 0:
            if r != 0:
                x = x + load_part(r, count)
            x = at_most(splat(hi), at_least(splat(lo), x))
            if count >= lanes:
                store(y, x)
            else:
                store_part(y, count, x)

    return finish
