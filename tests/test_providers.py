"""Where a session runs: what it may be asked for, what it refuses, and who computes what of a model."""

import gc
import pickle
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import tinycnn
from tests.kernels.cuda.simulated import SimulatedDevice
from tests.numerics import ROUNDING, assert_close
from tests.planner.programs import chain, node, normal
from tests.runtime.null_device import NullDevice, foreign, plug_in
from tinycnn.cli import main
from tinycnn.errors import DeviceError, OptionError, UnsupportedModelError
from tinycnn.ir import Graph
from tinycnn.kernels.cuda import driver
from tinycnn.kernels.cuda.device import Device
from tinycnn.kernels.lowering import LOWERINGS
from tinycnn.models import card
from tinycnn.session import CPU, CUDA, InferenceSession
from tinycnn.summary import summarise


def network() -> Graph:
    """Two convolutions, of which the first gets smaller, and a classifier."""
    return chain(
        (1, 2, 9, 8),
        node("Conv", "x w b", "first", pads=(1, 1, 1, 1)),
        node("Relu", "first", "relu"),
        node("MaxPool", "relu", "pool", kernel_shape=(2, 2), strides=(2, 2)),
        node("Conv", "pool v", "second"),
        node("Flatten", "second", "flat"),
        node("Gemm", "flat m c", "scores", transB=1),
        node("Softmax", "scores", "y"),
        w=normal(4, 2, 3, 3), b=normal(4), v=normal(3, 4, 3, 3), m=normal(5, 12), c=normal(5),
    )  # fmt: skip


def labels() -> Graph:
    """Two operators between others for which only Python has something."""
    return chain(
        (2, 3, 4),
        node("Sigmoid", "x", "a"), node("ArgMax", "a", "best", axis=2), node("Cast", "best", "b", to=1),
        node("Add", "a b", "y"),
    )  # fmt: skip


def symbolic(graph: Graph) -> Graph:
    """The same, of any batch."""
    inputs = {name: spec.with_shape(("n", *spec.dims[1:])) for name, spec in graph.inputs.items()}
    return graph.replace(inputs=inputs, specs={})


X = {"x": normal(1, 2, 9, 8)}
LISTS: list[list[Any]] = [[CUDA], [CUDA, CPU], [CPU, CUDA], [(CUDA, {"precision": "tf32"}), CPU]]


@pytest.fixture
def null(monkeypatch: pytest.MonkeyPatch) -> NullDevice:
    device = NullDevice()
    plug_in(device, monkeypatch)
    return device


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> SimulatedDevice:
    device = SimulatedDevice()
    plug_in(device, monkeypatch)
    return device


@pytest.mark.parametrize("providers", LISTS)
def test_a_device_that_is_not_there_is_an_error_and_never_replaced(
    providers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "open_gpu", driver.open_gpu.__wrapped__)
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(DeviceError, match=r"pip install 'tinycnn\[cuda\]'"):
        InferenceSession(network(), providers=providers)
    assert tinycnn.get_available_providers() == [CPU]


@pytest.mark.parametrize(
    ("providers", "options", "culprit"),
    [
        ([CUDA, "TensorrtExecutionProvider"], None, "provider 'TensorrtExecutionProvider' does not exist; there are"),
        ([CUDA, CPU, CUDA], None, "named twice"),
        ([CUDA, CPU], [{}], "1 entries for 2 providers"),
        ([CUDA, CPU], [{"device": 1}, {}], "CUDAExecutionProvider has no option 'device'; it has device_id, precision"),
        ([(CPU, {"precision": "f16"})], None, "CPUExecutionProvider has no option 'precision'; it has none"),
        ([(CUDA, {"precision": "f64"})], None, "'f64': it must be one of f32, tf32, bf16, f16"),
        ([(CUDA, {"device_id": "first"})], None, "device_id 'first'"),
        ([(CUDA, {"device_id": None})], None, "device_id None"),
    ],
)
def test_what_a_session_cannot_be_asked_for(
    providers: Sequence[Any], options: Sequence[Mapping[str, Any]] | None, culprit: str, null: NullDevice
) -> None:
    with pytest.raises(OptionError, match=culprit):
        InferenceSession(network(), providers=providers, provider_options=options)
    assert not null.calls


@pytest.mark.parametrize(
    ("options", "number", "precision"),
    [({}, 0, "f32"), ({"device_id": 1}, 1, "f32"), ({"device_id": "2", "precision": "tf32"}, 2, "tf32")],
)
def test_which_device_and_how_precise(
    options: dict[str, Any], number: int, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = plug_in(NullDevice(), monkeypatch)
    for session in (
        InferenceSession(network(), providers=[(CUDA, options), CPU]),
        InferenceSession(network(), providers=[CUDA, CPU], provider_options=[options, {}]),
        pickle.loads(pickle.dumps(InferenceSession(network(), providers=[(CUDA, options), CPU]))),
    ):
        assert session.targets[0] == Device(90, 4, precision, number)
        assert session.get_providers() == [CUDA, CPU]
        assert session.get_provider_options() == {CUDA: {key: str(value) for key, value in options.items()}, CPU: {}}
    assert set(asked) == {number}
    assert tinycnn.get_available_providers() == [CUDA, CPU]


@pytest.mark.parametrize("graph", [labels(), symbolic(labels())], ids=["static", "symbolic"])
def test_operators_without_a_kernel_are_all_told_when_the_model_is_loaded(graph: Graph, null: NullDevice) -> None:
    with pytest.raises(UnsupportedModelError, match=f"'{CUDA}', '{CPU}'") as caught:
        InferenceSession(graph, providers=[CUDA])
    assert [(p.node, p.operator) for p in caught.value.problems] == [("best", "ArgMax"), ("b", "Cast")]
    assert all("cuda (sm_90)" in p.reason for p in caught.value.problems)
    assert not null.live


def test_shape_arithmetic_needs_no_kernel(null: NullDevice) -> None:
    graph = chain(
        (2, 3, 4),
        node("Sigmoid", "x", "a"), node("Shape", "a", "s"), node("Gather", "s i", "n"),
        node("Concat", "n m", "t", axis=0), node("Reshape", "a t", "y"), i=np.array([0]), m=np.array([-1]),
    )  # fmt: skip
    [y] = InferenceSession(symbolic(graph), providers=[CUDA]).run(None, {"x": normal(5, 3, 4)})
    assert y.shape == (5, 12)


def test_a_session_gives_all_its_memory_back(null: NullDevice) -> None:
    session = InferenceSession(symbolic(network()), providers=[CUDA])
    for n in (1, 2):
        session.run(None, {"x": normal(n, 2, 9, 8)})
        [y] = session.run(["pool"], {"x": foreign(1 << 40, (n, 2, 9, 8))})
    assert null.live
    del session, y
    gc.collect()
    assert not null.live


@pytest.mark.parametrize(
    ("providers", "status", "told"),
    [
        (["cuda"], 0, "to device"),
        (["cuda", "cpu"], 0, "to host"),
        (["gpu"], 2, "cpu"),
        (["cuda", "cuda"], 2, "named twice"),
    ],
)
def test_the_command_line_takes_providers(providers: list[str], status: int, told: str, null: NullDevice) -> None:
    wishes = [word for name in providers for word in ("--provider", name)]
    done = CliRunner().invoke(main, ["inspect", str(card("lenet5").path), *wishes])
    assert done.exit_code == status, done.output
    assert told in done.output


def walk(session: InferenceSession) -> list[tuple[str, str]]:
    """(layer, operator), or (value, way) of a copy."""
    layers = summarise(session).layers
    return [(layer.name, layer.algorithm if layer.operator == "Copy" else layer.operator) for layer in layers]


@pytest.mark.cudasim
def test_what_has_no_kernel_runs_in_python_where_that_is_allowed(simulated: SimulatedDevice) -> None:
    session = InferenceSession(labels(), providers=[CUDA, CPU])
    assert walk(session) == [
        ("x", "to device"), ("a", "Sigmoid"), ("a", "to host"), ("best", "ArgMax"), ("b", "Cast"),
        ("a", "to device"), ("b", "to device"), ("y", "Add"), ("y", "to host"),
    ]  # fmt: skip
    x = {"x": normal(2, 3, 4)}
    [y], [wanted] = session.run(None, x), InferenceSession(labels()).run(None, x)
    assert_close(y, wanted, ROUNDING(4))


@pytest.mark.cudasim
@pytest.mark.parametrize("providers", [[CUDA, CPU], [CPU, CUDA]])
def test_the_first_provider_that_can_computes(
    providers: list[str], simulated: SimulatedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = providers[0].removesuffix("ExecutionProvider").lower()
    monkeypatch.delitem(LOWERINGS, (first, "Tanh"))
    graph = chain((2, 3), node("Sigmoid", "x", "a"), node("Tanh", "a", "b"), node("Sigmoid", "b", "y"))
    session = InferenceSession(graph, providers=providers)
    ways = {
        "cuda": [("x", "to device"), "a", ("a", "to host"), "b", ("b", "to device"), "y", ("y", "to host")],
        "cpu": ["a", ("a", "to device"), "b", ("b", "to host"), "y"],
    }
    kinds = {"a": "Sigmoid", "b": "Tanh", "y": "Sigmoid"}
    assert walk(session) == [(way, kinds[way]) if isinstance(way, str) else way for way in ways[first]]
    x = {"x": normal(2, 3)}
    [y] = session.run(None, x)
    [wanted] = InferenceSession(graph, providers=[providers[1]]).run(None, x)
    assert_close(y, wanted, ROUNDING(8))


@pytest.mark.cudasim
def test_a_network_gives_the_processors_answer(simulated: SimulatedDevice) -> None:
    graph = network()
    session = InferenceSession(graph, providers=[CUDA])
    names = ["y", "first", "pool", "scores"]
    for name, y, wanted in zip(names, session.run(names, X), InferenceSession(graph).run(names, X), strict=True):
        assert_close(y, wanted, ROUNDING(64), np.abs(wanted).max())
        assert name == "y" or np.ptp(wanted) > 1
    np.testing.assert_array_equal(session.run(None, X)[0], session.run(["y"], X)[0])
    assert all(layer.native for layer in summarise(session).layers)
