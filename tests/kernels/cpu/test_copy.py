"""Strided copies of whatever views NumPy makes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.cpu.every import available
from tests.kernels.cpu.harness import ArrayEmitter, Buffer
from tinycnn.kernels.cpu import copy, isa
from tinycnn.kernels.moves import Move, outline


@st.composite
def views(draw):
    """An array's shape and a function that makes a view of such an array."""
    shape = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4).filter(lambda s: np.prod(s, dtype=int) < 20000))
    perm = draw(st.permutations(range(len(shape))))
    ends = st.none() | st.integers(-5, 40)
    slices = [draw(st.builds(slice, ends, ends, st.sampled_from([None, 1, 2, -1, -3]))) for _ in shape]
    repeats = draw(st.integers(1, 3))
    outer = draw(st.booleans())

    def view(a):
        a = a.transpose(perm)[tuple(slices)]
        a = a[None] if outer else a[..., None]
        return np.broadcast_to(a, (repeats, *a.shape[1:]) if outer else (*a.shape[:-1], repeats))

    return shape, view


def run(shape, view, name, threads, pad=1):
    """The view of an array, copied into the middle of a larger one."""
    available(name)
    x = np.random.default_rng(1).standard_normal(shape, np.float32)
    whole = np.zeros([n + 2 * pad for n in view(x).shape], np.float32)
    middle = tuple(slice(pad, -pad) for _ in whole.shape)
    whole[middle] = view(x)
    source, target = outline(shape), outline(whole.shape)
    move = Move.between(source, view(source), target, target[middle])
    assert move is not None and copy.time_s(move) > 0
    ins, outs = Buffer(x.nbytes), Buffer(whole.nbytes)
    ins.f32()[:] = x.reshape(-1)
    outs.f32()[:] = 0
    e = ArrayEmitter([ins], [outs], threads)
    copy.emit(e, move, e.input(0), e.output(), name)
    np.testing.assert_array_equal(outs.f32().reshape(whole.shape), whole)


@pytest.mark.parametrize("name", isa.ISAS)
@given(case=views(), threads=st.integers(1, 3))
@settings(deadline=None, max_examples=200)
def test_every_view(name, case, threads):
    run(*case, name, threads)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "shape, view",
    [
        ((9000,), lambda a: a),
        ((9000,), lambda a: a[::-1]),
        ((1,), lambda a: np.broadcast_to(a, (70, 130))),
        ((3, 130, 67), lambda a: a.transpose(0, 2, 1)),
        ((2, 3, 2, 5, 4, 6, 7), lambda a: a[:, :, 0].transpose(5, 0, 4, 1, 3, 2)),
        ((4, 1, 1), lambda a: a[2]),
    ],
    ids=["straight", "reversed", "broadcast", "transposed", "six axes", "one row"],
)
def test_large_and_deep(name, threads, shape, view):
    run(shape, view, name, threads)


def test_too_many_axes_are_refused():
    a = outline((2,) * 7)
    assert Move.between(a, a.transpose(), a, a) is None
