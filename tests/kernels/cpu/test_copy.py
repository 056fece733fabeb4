"""Strided copies of whatever views NumPy makes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.views import LARGE, views
from tests.kernels.cpu.every import available
from tests.kernels.cpu.harness import ArrayEmitter, Buffer
from tinycnn.kernels.cpu import copy, isa
from tinycnn.kernels.moves import Move, outline


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
@given(case=views(40, 20000), threads=st.integers(1, 3))
@settings(deadline=None, max_examples=200)
def test_every_view(name, case, threads):
    run(*case, name, threads)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape, view", LARGE.values(), ids=LARGE)
def test_large_and_deep(name, threads, shape, view):
    run(shape, view, name, threads)


def test_too_many_axes_are_refused():
    a = outline((2,) * 7)
    assert Move.between(a, a.transpose(), a, a) is None
