"""Panels: a matrix cut into strips of `width` lines, interleaved so that a register tile reads it from end to end.

    panels[strip][p][i] = alpha * matrix[strip * width + i][p], zero behind the last line

Source: Goto and van de Geijn 2008, ACM TOMS 34(3), section 4.
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tinycnn.ir.memory import readable
from tinycnn.kernels.cpu import tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields

FAR = 1024  # elements between lines of which few fit a cache, as all fall into the same sets
FIELDS = fields("x:addr y:addr alpha:f32 batch lines depth line_step depth_step batch_step")


def panels(matrix: np.ndarray, width: int, packed: np.ndarray | None = None) -> np.ndarray:
    """[..., lines, depth] -> [..., strips, depth, width] f32, where told if it is told."""
    *batch, lines, depth = matrix.shape
    strips = -(-lines // width)
    packed = readable((*batch, strips, depth, width)) if packed is None else packed
    whole = lines // width
    strip = matrix[..., : whole * width, :].reshape(*batch, whole, width, depth)
    if depth % FAR:
        packed[..., :whole, :, :] = strip.swapaxes(-1, -2)
    else:
        for i in range(width):
            packed[..., :whole, :, i] = strip[..., i, :]
    if whole < strips:
        packed[..., whole, :, : lines - whole * width] = matrix[..., whole * width :, :].swapaxes(-1, -2)
        packed[..., whole, :, lines - whole * width :] = 0
    return packed


def panels_bytes(lines: int, depth: int, width: int) -> int:
    return -(-lines // width) * depth * width * 4


@functools.cache
def kernel(isa: str, width: int) -> Kernel:
    """Packs at run time. Steps are in bytes, from one line, one element of a line, one matrix to the next."""
    lanes = ISAS[isa].lanes
    vectors_wide = width // lanes if width % lanes == 0 else 0

    def build():
        from tinycnn.kernels.cpu.simd import load_f32, store, store_f32, vectors

        v = vectors(lanes)
        load_part, splat = v.load_part, v.splat

        def pack(x, y, alpha, batch, lines, depth, line_step, depth_step, batch_step, thread, threads):
            strips = (lines + width - 1) // width
            total = batch * strips * depth
            item, stop = total * thread // threads, total * (thread + 1) // threads
            scale = splat(alpha)
            while item < stop:
                strip, p = item // depth, item % depth
                last = min(depth, p + stop - item)
                first = strip % strips * width
                count = min(width, lines - first)
                source = x + strip // strips * batch_step + first * line_step
                item += last - p
                to = y + (strip * depth + p) * width * 4
                for q in range(p, last):
                    at = source + q * depth_step
                    if vectors_wide > 0 and line_step == 4:
                        for j in range(vectors_wide):
                            rest = max(0, count - j * lanes)
                            store(to + j * lanes * 4, scale * load_part(at + j * lanes * 4, rest))
                    else:
                        for i in range(count):
                            store_f32(to + i * 4, alpha * load_f32(at + i * line_step))
                        for i in range(count, width):
                            store_f32(to + i * 4, 0.0)
                    to += width * 4

        return pack

    return Kernel(f"panels_f32_1x{width}__{isa}", FIELDS, build, functools.partial(ranges, width), isa)


def ranges(width: int, a: SimpleNamespace) -> Iterable[Range]:
    reach = (a.batch - 1) * a.batch_step + (a.lines - 1) * a.line_step + (a.depth - 1) * a.depth_step + 4
    yield Range("x", 0, reach)
    yield Range("y", 0, a.batch * panels_bytes(a.lines, a.depth, width), writes=True)


def kernels(isa: str) -> Iterable[Kernel]:
    rows, cols = tuning.GEMM_TILES[isa]
    return [kernel(isa, rows), kernel(isa, cols * ISAS[isa].lanes)]
