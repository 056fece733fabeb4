"""Views of arrays, as NumPy makes them: slices, transposes, repetitions."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

View = Callable[[np.ndarray], np.ndarray]


@st.composite
def views(draw: st.DrawFn, longest: int, most: int) -> tuple[list[int], View]:
    """An array's shape, its sizes and elements limited, and a function that makes a view of such an array."""
    sizes = st.lists(st.integers(1, longest), min_size=1, max_size=4)
    shape = draw(sizes.filter(lambda s: np.prod(s, dtype=int) < most))
    perm = draw(st.permutations(range(len(shape))))
    ends = st.none() | st.integers(-5, longest)
    slices = [draw(st.builds(slice, ends, ends, st.sampled_from([None, 1, 2, -1, -3]))) for _ in shape]
    repeats = draw(st.integers(1, 3))
    outer = draw(st.booleans())

    def view(a: np.ndarray) -> np.ndarray:
        a = a.transpose(perm)[tuple(slices)]
        a = a[None] if outer else a[..., None]
        return np.broadcast_to(a, (repeats, *a.shape[1:]) if outer else (*a.shape[:-1], repeats))

    return shape, view


LARGE: dict[str, tuple[tuple[int, ...], View]] = {
    "straight": ((9000,), lambda a: a),
    "reversed": ((9000,), lambda a: a[::-1]),
    "broadcast": ((1,), lambda a: np.broadcast_to(a, (70, 130))),
    "transposed": ((3, 130, 67), lambda a: a.transpose(0, 2, 1)),
    "six axes": ((2, 3, 2, 5, 4, 6, 7), lambda a: a[:, :, 0].transpose(5, 0, 4, 1, 3, 2)),
    "one row": ((4, 1, 1), lambda a: a[2]),
}
