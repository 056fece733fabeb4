"""Strided copies on CUDA kernels, of whatever views NumPy makes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.views import LARGE, View, views
from tests.kernels.cuda.harness import backend, device, everywhere
from tinycnn.kernels.cuda import copy
from tinycnn.kernels.cuda.driver import Launch, Task
from tinycnn.kernels.cuda.launch import CudaKernel
from tinycnn.kernels.lowering import Ref
from tinycnn.kernels.moves import Move, outline


@dataclass
class Rows:
    """The part of an `Emitter` that a copy needs: its row becomes a task."""

    addresses: Sequence[int]
    tasks: list[Task] = field(default_factory=list)

    def row(self, kernel: CudaKernel, **values: Any) -> None:
        numbers = [values[f.name] for f in kernel.fields]
        slots = np.array([self.addresses[n.buffer] + n.offset if isinstance(n, Ref) else n for n in numbers], np.int64)
        row = SimpleNamespace(**values)
        list(kernel.ranges(row))
        self.tasks.append(Launch((), kernel, kernel.blocks(row), slots))


def check(shape: Sequence[int], view: View, place: str, pad: int = 1) -> CudaKernel:
    """The view of an array, copied into the middle of a larger one; the kernel that did it."""
    x = np.random.default_rng(1).standard_normal(shape, np.float32)
    whole = np.zeros([n + 2 * pad for n in view(x).shape], np.float32)
    middle = tuple(slice(pad, n + pad) for n in view(x).shape)
    source, target = outline(shape), outline(whole.shape)
    move = Move.between(source, view(source), target, target[middle])
    assert move is not None and move.size == view(x).size
    where, y = backend(place), whole.copy()
    memory = [where.allocate(a.nbytes) for a in (x, whole)]
    e = Rows(memory)
    if move.size:
        copy.emit(e, move, Ref(0), Ref(1), device(place).name)  # type: ignore[arg-type]
    for address, array in zip(memory, (x, whole), strict=True):
        where.copy("to device", array.ctypes.data, address, array.nbytes)
    where.work(e.tasks).run()
    where.copy("to host", memory[1], y.ctypes.data, y.nbytes)
    for address in memory:
        where.free(address)
    whole[middle] = view(x)
    np.testing.assert_array_equal(y, whole)
    return copy.plan(move, device(place).name)[0]


@pytest.mark.cudasim
@given(case=views(12, 400), pad=st.integers(0, 1))
@settings(deadline=None, max_examples=40)
def test_every_view(case: tuple[list[int], View], pad: int) -> None:
    check(*case, "simulator", pad)


@pytest.mark.gpu
@given(case=views(90, 200_000), pad=st.integers(0, 1))
@settings(deadline=None, max_examples=300)
def test_every_larger_view(case: tuple[list[int], View], pad: int) -> None:
    check(*case, "gpu", pad)


@pytest.mark.gpu
@pytest.mark.parametrize("shape, view", LARGE.values(), ids=LARGE)
def test_large_and_deep(shape: tuple[int, ...], view: View) -> None:
    check(shape, view, "gpu")


WAYS: dict[str, list[tuple[tuple[int, ...], View]]] = {
    "copy_fours_f32": [((8, 8), lambda a: a), ((5, 4, 8), lambda a: a[1:4]), ((6, 5, 8), lambda a: a[::-2, :, 4:])],
    "copy_pairs_f32": [((8, 6), lambda a: a[:, :4]), ((5, 2), lambda a: a[::-1]), ((9, 3, 2), lambda a: a[:, ::-1])],
    "copy_words_f32": [
        ((8, 7), lambda a: a[:, 1:4]), ((9,), lambda a: a[::-1]), ((30, 7), lambda a: a.T), ((4, 1, 1), lambda a: a[2]),
        ((1,), lambda a: np.broadcast_to(a, (7, 13))),
        ((2, 3, 2, 2, 2, 3, 2), lambda a: a[:, :, 0].transpose(5, 0, 4, 1, 3, 2)),
    ],
    "copy_squares_f32": [((8, 9), lambda a: a.T), ((2, 2, 17, 40), lambda a: a.transpose(0, 1, 3, 2)[..., :13])],
}  # fmt: skip


@everywhere
@pytest.mark.parametrize("name", WAYS)
def test_ways(name: str, place: str) -> None:
    for shape, view in WAYS[name]:
        assert check(shape, view, place, pad=0).name == f"{name}__{device(place).name}"
