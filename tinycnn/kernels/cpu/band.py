"""A band: the input rows that some output rows need, with their padding, in memory of a thread's own."""

from typing import Any


def filler(lanes: int) -> Any:
    """fill(x, band, ...), whose numbers are these. Whole vectors are read and stored, also behind the band's last row.

    units                     planes of the input: blocks of channels, or channels
    outer_stride, plane_bytes bytes from one to the next, in the band and in the input
    band_sh, band_kh          rows of the band from one output row to the next, and that each needs
    left, span, right         bytes of a row: zeros, pixels, zeros
    row_step, pixel_step      input rows, and bytes, from one that is copied to the next
    oy_step                   input rows from one output row to the next
    """
    from tinycnn.kernels.cpu.simd import inline, store, vectors

    v, vector_bytes = vectors(lanes), 4 * lanes
    load, splat = v.load, v.splat

    @inline
    def clear(address, nbytes):
        zero = splat(0.0)
        for i in range(0, nbytes, vector_bytes):
            store(address + i, zero)

    @inline
    def fill(
        x, band, outer_stride, oy, oys, units, band_sh, band_kh, left, span, right, h, row_bytes, plane_bytes,
        row_step, pixel_step, oy_step, pt, pixel_bytes,
    ):  # fmt: skip
        """Copies the input rows of output rows oy .. oy + oys - 1 of all channels, padded, to the band."""
        for c in range(units):
            to = band + c * outer_stride
            for r in range((oys - 1) * band_sh + band_kh):
                iy = oy * oy_step - pt + r * row_step
                if iy < 0 or iy >= h:
                    clear(to, left + span + right)
                else:
                    source = x + c * plane_bytes + iy * row_bytes
                    clear(to, left)
                    if pixel_step == pixel_bytes:
                        for i in range(0, span, vector_bytes):
                            store(to + left + i, load(source + i))
                    else:
                        for i in range(0, span // vector_bytes):
                            store(to + left + i * vector_bytes, load(source + i * pixel_step))
                    clear(to + left + span, right)
                to += left + span + right

    return fill
