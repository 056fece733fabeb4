"""The memory of inferences on CUDA, on a device that computes nothing: whose it is, and when it is given back."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.planner.programs import classifier, convolutions
from tests.runtime.null_device import NullDevice, foreign
from tests.runtime.programs import blocks, every_graph, feeds, program, two_and_two
from tinycnn.errors import DeviceError
from tinycnn.ir import Graph, TensorSpec
from tinycnn.planner.partition import infer_missing
from tinycnn.planner.program import Program
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime.executor_cuda import Executor


@every_graph
def test_one_arena_of_the_planners_size_and_nothing_else_but_weights(make: Callable[[], Graph]) -> None:
    device, p = NullDevice(), program(make())
    first = Executor(p, device)
    assert device.sizes == [p.arena_bytes, *(block.nbytes for block in blocks(p))]
    second = Executor(p, device)
    assert device.sizes[1 + len(blocks(p)) :] == [p.arena_bytes]
    first.run(feeds(p))
    del first, second
    assert sorted(device.live.values()) == sorted(block.nbytes for block in blocks(p))
    del p
    assert not device.live


def test_weights_are_uploaded_once_for_all_plans_and_threads() -> None:
    device, store, barrier = NullDevice(), WeightStore(), threading.Barrier(6)
    graph, sizes = convolutions(), [TensorSpec.f32(n, 3, 11, 13) for n in (1, 2, 3)]
    graphs = [infer_missing(graph.replace(inputs={"x": spec}, specs={})) for spec in sizes]
    programs = [program(g, store) for g in graphs] * 2
    executors: list[Executor] = []

    def make(p: Program) -> None:
        barrier.wait()
        executors.append(Executor(p, device))

    threads = [threading.Thread(target=make, args=(p,)) for p in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(executors) == 6
    uploaded = [(source, nbytes) for kind, source, _, nbytes in device.copies if kind == "to device"]
    known = {block.ctypes.data: block.nbytes for p in programs for block in blocks(p)}
    assert len(uploaded) == len(known) and dict(uploaded) == known
    for kind, source, target, nbytes in device.copies:
        assert (kind, device.extent(target)) == ("to device", (target, nbytes)) and source in known


def test_weights_are_forgotten_while_others_are_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python may collect garbage, and with it weights, in the middle of any call."""
    device = NullDevice()
    garbage, copy = [Executor(program(convolutions()), device)], device.copy

    def collect(kind: str, source: int, target: int, nbytes: int) -> None:
        garbage.clear()
        copy(kind, source, target, nbytes)

    monkeypatch.setattr(device, "copy", collect)
    p = program(classifier())
    executor = Executor(p, device)
    assert sorted(device.live.values()) == sorted([p.arena_bytes, *(block.nbytes for block in blocks(p))])
    assert len(device.works) == 2 and executor.contexts


def test_contexts_are_used_again_and_each_call_at_a_time_has_its_own() -> None:
    device, p = NullDevice(), program(convolutions())
    executor = Executor(p, device)
    for _ in range(3):
        executor.run(feeds(p))
    assert [work.runs for work in device.works] == [3]
    device.during = threading.Barrier(4)
    for _ in range(2):
        threads = [threading.Thread(target=executor.run, args=(feeds(p),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(work.runs for work in device.works) == [2, 2, 2, 5]
    assert device.sizes.count(p.arena_bytes) == 4


def failures(attempt: Callable[[NullDevice], object]) -> Iterator[NullDevice]:
    """Devices of which one call after the other failed, until none did."""
    for number in itertools.count(1):
        device = NullDevice(fails_at=number)
        with contextlib.suppress(DeviceError):
            attempt(device)
            assert device.calls < number
            return
        yield device


@pytest.mark.parametrize("on_device", [False, True])
def test_an_error_of_the_device_leaves_nothing_behind(on_device: bool) -> None:
    def attempt(device: NullDevice) -> None:
        p = program(two_and_two())
        x = [foreign(1 << 40, port.spec.dims) for port in p.inputs] if on_device else feeds(p)
        Executor(p, device).run(x)

    left = [device.live for device in failures(attempt)]
    assert len(left) > 12 and not any(left)


def test_after_an_error_of_the_device_the_next_attempt_works() -> None:
    p = program(two_and_two())
    for device in failures(lambda d: Executor(p, d)):
        executor = Executor(p, device)
        executor.run(feeds(p))
        assert sorted(device.live.values()) == sorted([p.arena_bytes, *(b.nbytes for b in blocks(p))])
        assert len({source for _, source, _, _ in device.copies}) >= len(blocks(p))


def test_a_context_whose_run_failed_is_not_used_again() -> None:
    device, p = NullDevice(), program(two_and_two())
    executor = Executor(p, device)
    device.fails_at = device.calls + 1
    with pytest.raises(DeviceError, match="out of order"):
        executor.run(feeds(p))
    assert p.arena_bytes not in device.live.values()
    executor.run(feeds(p))
    assert [work.runs for work in device.works] == [0, 1]
