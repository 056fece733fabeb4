"""Whole networks on a CUDA device: onnxruntime's answers, on as many threads and as often as one likes."""

import threading
from typing import Any

import numpy as np
import onnx.parser
import pytest

import tinycnn
from tests.cases.networks import NAMES, twin
from tests.kernels.cuda import harness
from tests.test_zoo import TOLERANCES, ZOO, distance, feeds, oracle
from tinycnn.kernels.cuda.device import PRECISIONS, Precision
from tinycnn.kernels.cuda.driver import open_gpu
from tinycnn.session import CPU, CUDA

pytestmark = pytest.mark.gpu
# What numbers with fewer bits may change of a network's answer, relative to the greatest of it.
LEVELS = {"f32": 1e-3, "tf32": 1e-2, "bf16": 1e-2, "f16": 1e-2}
BEYOND = {
    ("squeezenet", "bf16"): "8 bits are too few for these weights",
    ("vgg19", "bf16"): "8 bits are too few for these weights",
    ("resnet50", "f16"): "its values with these weights grow beyond 65504, the greatest of F16",
}


def session(model: Any, *providers: Any) -> tinycnn.InferenceSession:
    return tinycnn.InferenceSession(model, providers=providers or [CUDA])


def normal(s: tinycnn.InferenceSession, seed: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {spec.name: rng.standard_normal(spec.shape).astype(np.float32) for spec in s.get_inputs()}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", NAMES)
def test_classic_networks(
    name: str, precision: Precision, request: pytest.FixtureRequest, record_property: Any
) -> None:
    if reason := BEYOND.get((name, precision)):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    harness.skip_without(precision)
    model = twin(name)
    ours = session(model, (CUDA, {"precision": precision}))
    x = normal(ours)
    for y, wanted in zip(ours.run(None, x), oracle(model).run(None, x), strict=True):
        assert np.ptp(wanted) > 0
        far = distance(y, wanted)
        record_property("distance", far)
        assert far <= LEVELS[precision]


@pytest.mark.skipif(not ZOO.exists(), reason=f"no networks in {ZOO}")
@pytest.mark.parametrize("name", TOLERANCES)
def test_published_networks(name: str) -> None:
    if not (ZOO / f"{name}.onnx").exists():
        pytest.skip(f"no {name}.onnx in {ZOO}")
    x = feeds(name)
    ours = session(ZOO / f"{name}.onnx", CUDA, CPU)
    for y, wanted in zip(ours.run(None, x), oracle(ZOO / f"{name}.onnx").run(None, x), strict=True):
        assert distance(y, wanted) <= TOLERANCES[name]


def test_every_run_gives_the_same_bits_on_any_thread() -> None:
    ours = session(twin("squeezenet"))
    feeds = [normal(ours, seed) for seed in range(4)]
    wanted = [ours.run(None, x) for x in feeds]
    wrong: list[int] = []

    def work(number: int) -> None:
        for i in range(50):
            which = (number + i) % len(feeds)
            for y, reference in zip(ours.run(None, feeds[which]), wanted[which], strict=True):
                if not np.array_equal(y, reference):
                    wrong.append(which)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_ten_thousand_runs_take_no_more_memory() -> None:
    gpu = open_gpu()
    ours = session("models/lenet5.onnx")
    [spec] = ours.get_inputs()
    x = {spec.name: np.ones([d if isinstance(d, int) else 1 for d in spec.shape], np.float32)}
    wanted = ours.run(None, x)
    before = gpu.cu.cuMemGetInfo()
    for _ in range(10_000):
        [y] = ours.run(None, x)
    np.testing.assert_array_equal(y, wanted[0])
    assert gpu.cu.cuMemGetInfo() == before


def test_plans_that_are_forgotten_give_their_memory_back() -> None:
    gpu = open_gpu()
    graph = tinycnn.load("models/lenet5.onnx")
    ours = session(graph)
    [(name, spec)] = graph.inputs.items()

    def run(batch: int) -> None:
        ours.run(None, {name: np.zeros((batch, *spec.shape[1:]), np.float32)})

    for batch in range(1, 20):
        run(batch)
    before = gpu.cu.cuMemGetInfo()
    for batch in range(20, 60):
        run(batch)
    after = gpu.cu.cuMemGetInfo()
    assert int(before[1]) - int(after[1]) < 64 << 20


def test_arrays_of_other_libraries_go_in_and_out_without_copies() -> None:
    torch = pytest.importorskip("torch")
    ours = session(twin("squeezenet"))
    x = normal(ours)
    wanted = ours.run(None, x)
    there = {name: torch.from_numpy(value).to("cuda") for name, value in x.items()}
    for y, reference in zip(ours.run(None, there), wanted, strict=True):
        np.testing.assert_array_equal(y.numpy(), reference)
        np.testing.assert_array_equal(torch.from_dlpack(y).cpu().numpy(), reference)
        np.testing.assert_array_equal(torch.as_tensor(y, device="cuda").cpu().numpy(), reference)
    for name, value in there.items():
        np.testing.assert_array_equal(value.cpu().numpy(), x[name])


class Foreign:
    """A copy on the device, as an array of another library."""

    def __init__(self, value: np.ndarray):
        self.gpu = open_gpu()
        self.address = self.gpu.allocate(value.nbytes)
        self.gpu.copy("to device", value.ctypes.data, self.address, value.nbytes)
        data = {"data": (self.address, False), "shape": value.shape, "typestr": value.dtype.str, "version": 3}
        self.__cuda_array_interface__ = data

    def __del__(self) -> None:
        self.gpu.free(self.address)


def test_results_stay_on_the_device_and_feed_the_next_network() -> None:
    from cuda.core.utils import StridedMemoryView

    first = session(twin("squeezenet"))
    x = normal(first)
    wanted = first.run(None, x)
    y, *_ = first.run(None, {name: Foreign(value) for name, value in x.items()})
    np.testing.assert_array_equal(y.numpy(), wanted[0])
    assert StridedMemoryView.from_dlpack(y, stream_ptr=-1).ptr == y.__cuda_array_interface__["data"][0]
    shape = ", ".join(map(str, y.shape))
    text = f'<ir_version: 8, opset_import: ["": 17]> g (float[{shape}] x) => (float[{shape}] y) {{ y = Neg(x) }}'
    [z] = session(onnx.parser.parse_model(text)).run(None, {"x": y})
    np.testing.assert_array_equal(z.numpy(), -wanted[0])
