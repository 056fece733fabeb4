"""Published networks with their trained weights: onnxruntime's answers, the right names for photographs, the same bits
with any number of threads."""

import functools
import io
import os
import pickle
import threading
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper
from PIL import Image

import tinycnn
from tests.interpreter import evaluate
from tinycnn.kernels.cpu import isa
from tinycnn.models import Preprocess, load_picture, read_mnist
from tinycnn.runtime import executor_cpu

SHARED = Path(os.environ.get("TINYCNN_SHARED", Path(__file__).parents[2] / "shared"))
ZOO, PHOTOS, DATASETS = SHARED / "zoo", SHARED / "photos", SHARED / "datasets"
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.skipif(not ZOO.exists(), reason=f"no networks in {ZOO}")

# Network -> how far from onnxruntime, relative to the greatest number of each output.
FLOAT, INT8 = 1e-3, 0.1
TOLERANCES = {
    "bvlc_googlenet_fp32": FLOAT,
    "cifar10_resnet20": FLOAT,
    "deeplab_v3_mnv2_dm05": FLOAT,
    # Its first InstanceNormalization reads rows of 640,000 numbers whose mean is large beside their deviation, and
    # onnxruntime's sums of them end 1.1e-3 off what they are in float64.
    "fns_candy": 2e-3,
    "mnist-8_ort": FLOAT,
    "mobilenetv2-12-qdq_pf": INT8,
    "mobilenetv2_fp32_dequant": FLOAT,
    "nanodet_m_416": FLOAT,
    "pfld_landmarks": FLOAT,
    "portrait_deeplab_dm05_513": FLOAT,
    "retinaface_mbnet0.25": FLOAT,
    "shufflenet-v2-12-int8": INT8,
    "sinet_portrait": FLOAT,
    "squeezenet1.1-7_fp32": FLOAT,
    "squeezenet1.1_winml_fp16": FLOAT,
    "super_resolution_zoo": FLOAT,
    "ultraface_rfb_320": FLOAT,
    "yolox_nano": FLOAT,
    # Random numbers show no face: scores are 1e-5 and less, where onnxruntime's Sigmoid knows only multiples of 2**-25.
    "yunet_n_320": 2e-2,
}
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}

CAFFE = Preprocess((224, 224), "bgr", short_side=256, mean=(104, 117, 123))
TORCH = Preprocess(
    (224, 224), "rgb", short_side=256, scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)


def load(name: str, threads: int = 1) -> tinycnn.InferenceSession:
    options = tinycnn.SessionOptions()
    options.intra_op_num_threads = threads
    return tinycnn.InferenceSession(ZOO / f"{name}.onnx", options)


session = functools.cache(load)


def oracle(model: ModelProto | Path) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(
        model.SerializeToString() if isinstance(model, ModelProto) else str(model), options, ["CPUExecutionProvider"]
    )


def feeds(name: str, seed: int = 7, symbols: int = 224, batch: int = 1) -> dict[str, np.ndarray]:
    """Normal numbers; a first dimension without a number is `batch`, another one `symbols`."""
    rng = np.random.default_rng(seed)
    found = {}
    for spec in session(name).get_inputs():
        shape = [d if isinstance(d, int) else (batch if i == 0 else symbols) for i, d in enumerate(spec.shape)]
        found[spec.name] = rng.standard_normal(shape).astype(DTYPES[spec.type])
    return found


def distance(y: np.ndarray, wanted: np.ndarray) -> float:
    """The greatest difference relative to the greatest number wanted."""
    assert (y.shape, y.dtype) == (wanted.shape, wanted.dtype)
    assert np.isfinite(y).all()
    scale = np.abs(wanted.astype(np.float64)).max() or 1.0
    return float(np.abs(y.astype(np.float64) - wanted).max() / scale)


@pytest.mark.parametrize("name", TOLERANCES)
def test_answers_are_onnxruntimes(name: str) -> None:
    x, ours, theirs = feeds(name), session(name), oracle(ZOO / f"{name}.onnx")
    results, wanted = ours.run(None, x), theirs.run(None, x)
    assert len(results) == len(wanted)
    for y, reference in zip(results, wanted, strict=True):
        assert np.ptp(reference) > 0
        assert distance(y, reference) <= TOLERANCES[name]
    for found, specs in ((ours.get_inputs(), theirs.get_inputs()), (ours.get_outputs(), theirs.get_outputs())):
        assert [(s.name, s.type) for s in found] == [(s.name, s.type) for s in specs]
    meta, told = ours.get_modelmeta(), theirs.get_modelmeta()
    assert (meta.producer_name, meta.graph_name, meta.domain) == (told.producer_name, told.graph_name, told.domain)
    assert meta.description == told.description
    assert meta.custom_metadata_map == told.custom_metadata_map


@pytest.mark.skipif(not isa.current().multiplies_bytes, reason="this processor does not multiply bytes")
@pytest.mark.parametrize("name", ["mobilenetv2-12-qdq_pf", "shufflenet-v2-12-int8"])
def test_quantised_networks_multiply_bytes(name: str) -> None:
    graph, _ = session(name).network.divide({key: x.shape for key, x in feeds(name).items()})
    operators = {node.kind for node in graph.nodes}
    assert {"IntegerConv", "IntegerGemm"} <= operators and operators.isdisjoint({"Conv", "Gemm", "MatMul"})


def test_small_scores_are_right_where_onnxruntimes_are_not() -> None:
    x = feeds("yunet_n_320")
    values = evaluate(tinycnn.load(ZOO / "yunet_n_320.onnx"), x, wide=True)
    ours = session("yunet_n_320")
    for spec, y in zip(ours.get_outputs(), ours.run(None, x), strict=True):
        assert distance(y, values[spec.name].astype(np.float32)) <= 1e-5


@pytest.mark.parametrize("name", TOLERANCES)
def test_any_number_of_threads_gives_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    x = feeds(name)
    wanted = session(name).run(None, x)
    for threads in (2, 3):
        for y, reference in zip(load(name, threads).run(None, x), wanted, strict=True):
            np.testing.assert_array_equal(y, reference)


def test_the_official_vectors_of_squeezenet() -> None:
    name = "squeezenet1.1-7_fp32"
    folders = sorted((ZOO / "testdata").glob(f"{name}.*"))
    assert folders
    for folder in folders:
        x, wanted = (numpy_helper.to_array(onnx.load_tensor(folder / f"{role}_0.pb")) for role in ("input", "output"))
        [y] = session(name).run(None, {"data_0": x})
        assert distance(y, wanted) <= 1e-5


def classes() -> list[str]:
    return [line.split(" ")[0] for line in (SHARED / "labels" / "synset.txt").read_text().splitlines()]


def named(name: str, preprocess: Preprocess, photo: Path) -> str:
    """The WordNet number of what a classifier of ImageNet sees."""
    [spec] = session(name).get_inputs()
    x = preprocess.apply(load_picture(photo)).astype(DTYPES[spec.type])
    return classes()[session(name).run(None, {spec.name: x})[0].argmax()]


@pytest.mark.parametrize("photo, wanted", [("dog_samoyed.jpg", "n02111889"), ("kitten_224.png", "n02123045")])
@pytest.mark.parametrize(
    "name, preprocess",
    [
        ("squeezenet1.1-7_fp32", CAFFE),
        ("squeezenet1.1_winml_fp16", CAFFE),
        ("bvlc_googlenet_fp32", CAFFE),
        ("mobilenetv2_fp32_dequant", TORCH),
        ("mobilenetv2-12-qdq_pf", TORCH),
        ("shufflenet-v2-12-int8", TORCH),
    ],
)
def test_photographs_are_named(name: str, preprocess: Preprocess, photo: str, wanted: str) -> None:
    assert named(name, preprocess, PHOTOS / photo) == wanted


def test_mobilenet_names_most_of_imagenet() -> None:
    photos = sorted((PHOTOS / "imagenet").iterdir())
    right = sum(named("mobilenetv2_fp32_dequant", TORCH, photo) == photo.name.split("_")[0] for photo in photos)
    assert right / len(photos) == pytest.approx(0.85, abs=0.03)


def test_resnet20_names_most_of_cifar10() -> None:
    kinds = "airplane automobile bird cat deer dog frog horse ship truck".split()
    pictures, labels = [], []
    with zipfile.ZipFile(DATASETS / "cifar10_jpeg.zip") as archive:
        for label, kind in enumerate(kinds):
            for i in range(50):
                pictures.append(np.asarray(Image.open(io.BytesIO(archive.read(f"test/{kind}/{i:04}.jpg")))))
                labels.append(label)
    x = (np.stack(pictures) / 255 - TORCH.mean) / TORCH.std
    [y] = session("cifar10_resnet20").run(None, {"input": x.transpose(0, 3, 1, 2).astype(np.float32)})
    assert np.mean(y.argmax(axis=1) == labels) >= 0.79  # 0.93 of the pictures before they became JPEG


def test_digits_are_read() -> None:
    images, labels = read_mnist(DATASETS)
    s = session("mnist-8_ort")
    read = [s.run(None, {"Input3": image[None, None].astype(np.float32)})[0].argmax() for image in images[:500]]
    assert np.mean(read == labels[:500]) >= 0.97


@pytest.mark.parametrize("name", ["squeezenet1.1-7_fp32", "mobilenetv2_fp32_dequant", "yunet_n_320", "sinet_portrait"])
def test_any_value_may_be_asked_for(name: str) -> None:
    model = onnx.load(ZOO / f"{name}.onnx")
    values = [value for node in model.graph.node for value in node.output][::5]
    del model.graph.output[:], model.graph.value_info[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(value) for value in values)
    x = feeds(name)
    for y, wanted in zip(session(name).run(values, x), oracle(model).run(values, x), strict=True):
        assert distance(y, wanted) <= FLOAT


@pytest.mark.parametrize(
    "name, variants",
    [
        ("retinaface_mbnet0.25", [{"symbols": 96}, {"symbols": 161}]),
        ("mobilenetv2_fp32_dequant", [{"batch": 1}, {"batch": 3}]),
    ],
)
def test_symbolic_sizes(name: str, variants: list[dict[str, int]]) -> None:
    theirs = oracle(ZOO / f"{name}.onnx")
    for variant in (*variants, variants[0]):
        x = feeds(name, **variant)
        for y, wanted in zip(session(name).run(None, x), theirs.run(None, x), strict=True):
            assert distance(y, wanted) <= FLOAT


def test_many_callers_share_a_session() -> None:
    name = "squeezenet1.1-7_fp32"
    shared = load(name, threads=2)
    inputs = [feeds(name, seed) for seed in range(8)]
    wanted = [session(name).run(None, x)[0] for x in inputs]
    right: list[bool] = []

    def call(x: dict[str, np.ndarray], reference: np.ndarray) -> None:
        right.extend(np.array_equal(shared.run(None, x)[0], reference) for _ in range(20))

    callers = [threading.Thread(target=call, args=pair) for pair in zip(inputs, wanted, strict=True)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 160


def test_a_pickled_session_gives_the_same_bits() -> None:
    name = "mobilenetv2_fp32_dequant"
    x = feeds(name)
    [again] = pickle.loads(pickle.dumps(session(name))).run(None, x)
    np.testing.assert_array_equal(again, session(name).run(None, x)[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_session_works_in_the_child_of_a_fork() -> None:
    name = "squeezenet1.1-7_fp32"
    parents, x = load(name, threads=2), feeds(name)
    [wanted] = parents.run(None, x)
    child = os.fork()
    if not child:
        same = all(np.array_equal(parents.run(None, x)[0], wanted) for _ in range(3))
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    np.testing.assert_array_equal(parents.run(None, x)[0], wanted)
