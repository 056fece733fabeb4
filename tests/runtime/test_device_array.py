"""Feeds and results that lie on the device."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.kernels.cuda.simulated import SimulatedDevice
from tests.planner.programs import chain, node, normal
from tests.runtime.null_device import NullDevice, foreign, plug_in, touched
from tests.runtime.programs import feeds, program, two_and_two
from tinycnn.errors import FeedError, FeedTypeError
from tinycnn.ir import Graph, TensorSpec
from tinycnn.kernels.cuda.driver import Copy
from tinycnn.planner.program import Port
from tinycnn.runtime import device_array
from tinycnn.runtime.device_array import DeviceArray
from tinycnn.runtime.executor_cuda import CONTEXTS_KEPT, Executor
from tinycnn.session import CPU, CUDA, InferenceSession


def there(device: NullDevice, port: Port) -> SimpleNamespace:
    return foreign(device.allocate(port.spec.nbytes), port.spec.dims, port.spec.dtype.str)


@pytest.mark.parametrize("on_device", [(True, True), (True, False), (False, True)])
def test_feeds_on_the_device_are_read_where_they_lie(on_device: tuple[bool, bool]) -> None:
    device, p = NullDevice(), program(two_and_two())
    executor = Executor(p, device)
    given = [there(device, port) if yes else x for yes, port, x in zip(on_device, p.inputs, feeds(p), strict=True)]
    staged, earlier = len(device.staging), set(device.live)
    results = executor.run(given)
    work = device.works[-1]
    assert device.waits == 1 and work.runs == 1
    copies = [task for task in work.tasks if isinstance(task, Copy)]
    assert [(c.kind, c.nbytes) for c in copies] == [
        ("to device", port.spec.nbytes) for yes, port in zip(on_device, p.inputs, strict=True) if not yes
    ]
    assert [memory.nbytes for memory in device.staging[staged:]] == [c.nbytes for c in copies]
    reads = {start for task in work.tasks for start, _ in touched(task, device)[0]}
    writes = {start for task in work.tasks for start, _ in touched(task, device)[1]}
    for yes, feed in zip(on_device, given, strict=True):
        if yes:
            assert feed.__cuda_array_interface__["data"][0] in reads - writes
    made = [y for y in results if isinstance(y, DeviceArray)]
    assert [(y.shape, y.dtype) for y in made] == [(port.spec.dims, port.spec.dtype) for port in p.outputs]
    assert not earlier & {y.address for y in made} and {y.address for y in made} <= set(device.live)
    moved = [c for c in device.copies if c[0] == "on device"]
    assert [(target, nbytes) for _, _, target, nbytes in moved] == [(y.address, y.nbytes) for y in made]
    for (_, source, _, _), port in zip(moved, p.outputs, strict=True):
        [context] = [c for key, c in executor.contexts if key != (None, None)]
        assert source == context.arena + (p.buffers[port.buffer].offset or 0) + port.offset
    addresses = {y.address for y in made}
    del made, results
    assert not addresses & set(device.live)


def test_a_result_that_is_a_view_of_a_feed_on_the_device() -> None:
    device, p = NullDevice(), program(chain((2, 3, 4), node("Flatten", "x", "y")))
    executor = Executor(p, device)
    feed = there(device, p.inputs[0])
    executor.run([feed])
    assert device.copies[-1][:2] == ("on device", feed.__cuda_array_interface__["data"][0])


def test_contexts_for_feeds_on_the_device_are_bounded() -> None:
    device, p = NullDevice(), program(chain((2, 3, 4), node("Sigmoid", "x", "y")))
    executor = Executor(p, device)
    given = [there(device, p.inputs[0]) for _ in range(2 * CONTEXTS_KEPT)]
    for feed in given:
        executor.run([feed])
    executor.run(given[-1:])
    assert device.works[-1].runs == 2
    assert list(device.live.values()).count(p.arena_bytes) == CONTEXTS_KEPT


GRAPH = chain((2, 3, 4), node("Sigmoid", "x", "a"), node("Softmax", "a", "y"))
MIXED = chain((2, 3, 4), node("Sigmoid", "x", "a"), node("ArgMax", "a", "y", axis=2))
HALVES = GRAPH.replace(inputs={"x": TensorSpec((2, 3, 4), np.dtype(np.float16))}, specs={})
INTO_HALF = GRAPH.replace(specs={**GRAPH.specs, "y": TensorSpec((2, 3, 4), np.dtype(np.float16))})
AT = 1 << 40  # a multiple of all alignments


@pytest.fixture
def null(monkeypatch: pytest.MonkeyPatch) -> NullDevice:
    device = NullDevice()
    plug_in(device, monkeypatch)
    return device


@pytest.mark.parametrize(
    ("graph", "providers", "feed", "error", "reason"),
    [
        (GRAPH, [CUDA], foreign(AT, (2, 4, 3)), FeedError, "2x3x4, not 2x4x3"),
        (GRAPH, [CUDA], foreign(AT, (24,)), FeedError, "2x3x4, not 24"),
        (GRAPH, [CUDA], foreign(AT, (2, 3, 4), "<f8"), FeedTypeError, "float32, not float64"),
        (GRAPH, [CUDA], foreign(AT, (2, 3, 4), ">f4"), FeedTypeError, "float32, not >f4"),
        (GRAPH, [CUDA], foreign(AT, (2, 3, 4), strides=(4, 8, 24)), FeedError, "must be contiguous"),
        (GRAPH, [CUDA], foreign(AT, (2, 3, 4), strides=(0, 16, 4)), FeedError, "must be contiguous"),
        (GRAPH, [CUDA], foreign(AT + 4, (2, 3, 4)), FeedError, "16-byte aligned"),
        (GRAPH, [CUDA], foreign(AT, (2, 3, 4), mask=foreign(AT, (2, 3, 4), "|b1")), FeedError, "mask"),
        (HALVES, [CUDA], foreign(AT, (2, 3, 4), "<f2"), FeedTypeError, "float16: give it as an array of the host"),
        (INTO_HALF, [CUDA], foreign(AT, (2, 3, 4)), FeedTypeError, " is float16, .* arrays of the host"),
        (GRAPH, [CPU], foreign(AT, (2, 3, 4)), FeedTypeError, "this session runs on the processor"),
        (MIXED, [CUDA, CPU], foreign(AT, (2, 3, 4)), FeedError, "not all of the model runs there"),
    ],
)
def test_feeds_on_the_device_that_are_refused(
    graph: Graph, providers: list[str], feed: Any, error: type, reason: str, null: NullDevice
) -> None:
    session = InferenceSession(graph, providers=providers)
    before = dict(null.live)
    with pytest.raises(error, match=f"'[xy]'.*{reason}"):
        session.run(None, {"x": feed})
    assert null.live == before and not any(work.runs for work in null.works)
    dtype = session.declared.inputs["x"].dtype
    assert len(session.run(None, {"x": normal(2, 3, 4).astype(dtype)})) == len(graph.outputs)


@pytest.mark.parametrize("strides", [None, (48, 16, 4)])
@pytest.mark.parametrize("symbolic", [False, True])
def test_arrays_of_which_only_the_interface_is_known(
    strides: tuple[int, ...] | None, symbolic: bool, null: NullDevice
) -> None:
    inputs = {"x": TensorSpec.f32("n", 3, 4) if symbolic else TensorSpec.f32(2, 3, 4)}
    session = InferenceSession(GRAPH.replace(inputs=inputs, specs={}), providers=[CUDA, CPU])
    [y] = session.run(None, {"x": foreign(AT, (2, 3, 4), strides=strides)})
    assert (y.shape, y.dtype, y.nbytes) == ((2, 3, 4), np.float32, 96)
    told = y.__cuda_array_interface__
    assert null.extent(told["data"][0])[1] == 96
    assert (told["shape"], told["typestr"], told["version"]) == ((2, 3, 4), "<f4", 3)
    assert y.__dlpack_device__() == (2, 0)
    assert repr(y) == "DeviceArray(2x3x4, float32)"


@pytest.mark.parametrize(
    ("shape", "strides", "contiguous"),
    [
        ((2, 3, 4), (12, 4, 1), True),
        ((2, 3, 4), None, True),
        ((1, 3, 4), (7, 4, 1), True),
        ((2, 3, 4), (1, 2, 6), False),
        ((2, 3, 4), (24, 8, 2), False),
    ],
)
def test_arrays_that_speak_dlpack(
    shape: tuple[int, ...], strides: tuple[int, ...] | None, contiguous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its strides count elements."""
    told = SimpleNamespace(shape=shape, dtype=np.dtype(np.float32), ptr=AT, strides=strides)
    monkeypatch.setattr(device_array, "view", lambda array: told)
    array = SimpleNamespace(__dlpack_device__=lambda: (2, 0))
    assert device_array.is_on_device(array)
    assert device_array.describe(array) == (shape, np.float32, AT, contiguous)


@pytest.mark.parametrize("device", [1, 3, 10])
def test_arrays_that_dlpack_says_lie_elsewhere(device: int) -> None:
    assert not device_array.is_on_device(SimpleNamespace(__dlpack_device__=lambda: (device, 0)))


def test_each_shape_has_its_plan_and_each_place_its_context(null: NullDevice) -> None:
    session = InferenceSession(GRAPH.replace(inputs={"x": TensorSpec.f32("n", 3, 4)}, specs={}), providers=[CUDA])
    for n in (1, 2, 1, 2):
        [y] = session.run(None, {"x": normal(n, 3, 4)})
        [z] = session.run(None, {"x": foreign(AT, (n, 3, 4))})
        assert y.shape == z.shape == (n, 3, 4)
    assert [work.runs for work in null.works] == [2] * 4
    assert len(session.network.plans) == 2


@pytest.mark.cudasim
def test_results_on_the_device_are_those_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    device = SimulatedDevice()
    plug_in(device, monkeypatch)
    graph = chain((2, 3, 4), node("Sigmoid", "x", "a"), node("Flatten", "x", "same"), node("Tanh", "a", "y"))
    session = InferenceSession(graph.replace(outputs=("y", "same", "a")), providers=[CUDA])
    x = normal(2, 3, 4)
    wanted = session.run(None, {"x": x})
    feed = foreign(device.allocate(x.nbytes), x.shape)
    device.copy("to device", x.ctypes.data, feed.__cuda_array_interface__["data"][0], x.nbytes)
    for _ in range(2):
        found = session.run(None, {"x": feed})
    for y, reference in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(y.numpy(), reference)
    [again] = session.run(["y"], {"x": found[2]})
    np.testing.assert_array_equal(again.numpy(), session.run(["y"], {"x": wanted[2]})[0])
    np.testing.assert_array_equal(found[2].numpy(), wanted[2])
