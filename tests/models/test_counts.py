"""Parameters, multiply-adds and sizes of every network against what is published, and the formulas of textbooks."""

import math
import os
import re
from pathlib import Path

import pytest

from tinycnn.converters import load_onnx
from tinycnn.ir import Graph, TensorSpec
from tinycnn.models import Builder, build, count
from tinycnn.models.architectures import Architecture, Published, catalogue
from tinycnn.models.networks.googlenet import inception, naive_inception
from tinycnn.passes.bind import bind

ZOO = Path(os.environ.get("TINYCNN_SHARED", Path(__file__).parents[3] / "shared")) / "zoo"
UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}

every_architecture = pytest.mark.parametrize("architecture", catalogue().values(), ids=lambda a: a.name)


def agrees(counted: int, published: str) -> bool:
    """Whether the count is the published one, to as many digits as that has."""
    number, _, unit = published.replace(",", "").partition(" ")
    digits = len(number.partition(".")[2])
    return f"{counted / UNITS[unit]:.{digits}f}" == number


def specs(graph: Graph) -> dict[str, TensorSpec]:
    """Of every value and constant, for one image."""
    known = {"image": graph.inputs["image"].with_shape((1, *(graph.inputs["image"].shape or ())[1:]))}
    known |= {name: TensorSpec.of(array) for name, array in graph.constants.items()}
    for node in graph.nodes:
        read = [known[name] for name in node.inputs]
        written = node.op.infer(read, [graph.constant(name) for name in node.inputs])
        known |= zip(node.outputs, written or (), strict=False)
    return known


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Of every value, without the batch."""
    return {value: spec.dims[1:] for value, spec in specs(build(name, seed=None)).items()}


def test_counts_are_compared_digit_by_digit() -> None:
    assert agrees(25_557_032, "25,557,032") and not agrees(25_557_033, "25,557,032")
    assert agrees(724_406_816, "724 M") and not agrees(724_506_816, "724 M")
    assert agrees(3_359_843_328, "3.36 G") and not agrees(3_366_000_000, "3.36 G")


@every_architecture
def test_parameters(architecture: Architecture) -> None:
    published = architecture.published
    counts = count(architecture.build(seed=None, **published.options), published.without)
    if not published.parameters:
        assert published.note or published.macs, "what it is held to, or why to nothing"
        return
    assert published.source
    assert agrees(counts.parameters, published.parameters)


@every_architecture
def test_multiply_adds(architecture: Architecture) -> None:
    published = architecture.published
    graph = architecture.build(seed=None, **published.options)
    if published.macs and architecture.name != "lenet5":
        assert agrees(count(graph, published.without).macs, published.macs)


def test_connections_of_lenet5() -> None:
    """Section II.B tells those of each layer: multiply-adds, biases and what subsampling adds up."""
    graph = build("lenet5")
    known = specs(graph)
    layers = dict.fromkeys(("c1", "s2", "c3", "s4", "c5", "f6", "output"), 0)
    for node in graph.nodes:
        written = known[node.outputs[0]]
        connections = node.op.macs([known[name] for name in node.inputs], [written])  # type: ignore[attr-defined]
        if node.kind in ("Conv", "Gemm", "Add"):
            connections += written.size  # the bias
        if node.kind == "AveragePool":
            connections += written.size * math.prod(node.op.kernel_shape)  # type: ignore[attr-defined]
        layers[node.name.split("/")[0].replace("flatten", "f6")] += connections
    assert layers == {
        "c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164, "output": 840,
    }  # fmt: skip
    assert agrees(sum(layers.values()), catalogue()["lenet5"].published.macs)
    assert count(graph).macs == 326_520


@pytest.mark.parametrize(
    ("name", "options", "published"),
    [
        # torchvision's bottlenecks have their stride in the 3x3 convolution: models/resnet.py.
        ("resnet50", {"stride_at": "3x3"}, Published("25,557,032", "4.089 G")),
        ("resnet101", {"stride_at": "3x3"}, Published("44,549,160", "7.801 G")),
        ("resnet152", {"stride_at": "3x3"}, Published("60,192,808", "11.514 G")),
        ("resnet18", {}, Published("11,689,512", "1.814 G")),
        # The resolution multiplier: Howard et al., arXiv:1704.04861, Table 7, which has 290 for 290.66; the authors'
        # TF-slim, nets/mobilenet_v1.md, has 291.
        ("mobilenet_v1", {"input_size": 192}, Published("4.2 M", "418 M")),
        ("mobilenet_v1", {"input_size": 160}, Published("4.2 M", "291 M")),
        ("mobilenet_v1", {"input_size": 128}, Published("4.2 M", "186 M")),
        # Keras, applications/mobilenet_v2.py.
        ("mobilenet_v2", {"width": 1.3}, Published("5.34 M", "509 M", without=("BatchNormalization",))),
        ("mobilenet_v2", {"input_size": 160}, Published("3.47 M", "154 M", without=("BatchNormalization",))),
        # Fewer columns: Larsson et al., arXiv:1605.07648, Table 3.
        ("fractalnet", {"columns": 1}, Published("0.3 M")),
        ("fractalnet", {"columns": 2}, Published("0.8 M")),
        ("fractalnet", {"columns": 3}, Published("2.1 M")),
        ("fractalnet", {"columns": 5}, Published("10.2 M")),
        # As wide as Huang et al.'s DenseNet-161: torchvision, models/densenet.py.
        ("densenet121", {"depths": (6, 12, 36, 24), "growth": 48}, Published("28,681,000", "7.728 G")),
        ("wrn_50_2", {"depths": (3, 4, 23, 3)}, Published("126,886,696", "22.753 G")),  # torchvision's wide_resnet101_2
    ],
    ids=str,
)
def test_variants(name: str, options: dict[str, object], published: Published) -> None:
    counts = count(build(name, seed=None, **options), published.without)  # type: ignore[arg-type]
    assert agrees(counts.parameters, published.parameters)
    assert not published.macs or agrees(counts.macs, published.macs)


@every_architecture
def test_layers_are_those_of_the_name(architecture: Architecture) -> None:
    layers = count(architecture.build(seed=None)).layers
    if depth := re.fullmatch(r"(?:vgg|resnet|densenet|resnext)(\d+)(?:_\d+x\d+d)?", architecture.name):
        assert layers == int(depth[1]) + (architecture.name == "densenet264")  # which Table 1 makes one deeper
    elif architecture.name.startswith("wrn"):
        projections = 0 if architecture.name == "wrn_50_2" else 3  # which WRN's n counts, in place of the last layer
        assert layers == int(architecture.name.split("_")[1]) - projections + bool(projections)
    else:
        published = {
            "lenet5": 5, "alexnet": 8, "zfnet": 8, "nin": 9, "googlenet": 22, "squeezenet": 18, "fractalnet": 40 + 1,
            "mobilenet_v1": 28, "mobilenet_v2": 53, "shufflenet_v1": 50, "shufflenet_v2": 51, "googlenet_naive": 13,
        }  # fmt: skip
        assert layers == published[max((n for n in published if architecture.name.startswith(n)), key=len)]


SIZES = {
    "alexnet": {"conv1": 55, "pool1": 27, "conv2": 27, "pool2": 13, "conv5": 13, "pool5": 6},
    # Zeiler and Fergus, arXiv:1311.2901, Figure 3.
    "zfnet": {"conv1": 110, "pool1": 55, "conv2": 26, "pool2": 13, "conv3": 13, "conv4": 13, "conv5": 13, "pool5": 6},
    # Szegedy et al., arXiv:1409.4842, Table 1.
    "googlenet": {"conv1": 112, "pool1": 56, "pool2": 28, "inception_3b": 28, "pool3": 14, "pool4": 7},
    # Iandola et al., arXiv:1602.07360, Table 1.
    "squeezenet1.0": {"conv1": 111, "pool1": 55, "fire4": 55, "pool4": 27, "fire8": 27, "pool8": 13, "conv10": 13},
    "vgg16": {"conv1_2": 224, "pool1": 112, "pool2": 56, "pool3": 28, "pool4": 14, "pool5": 7},
    "resnet50": {"conv1": 112, "pool1": 56, "conv2_3": 56, "conv3_4": 28, "conv4_6": 14, "conv5_3": 7},
    "densenet121": {"conv1": 112, "pool1": 56, "transition1/pool": 28, "transition2/pool": 14, "transition3/pool": 7},
    "nin": {"conv1": 32, "pool1": 16, "pool2": 8},
    "lenet5": {"c1": 28, "s2": 14, "c3": 10, "s4": 5, "c5": 1},
    "shufflenet_v1_g3": {"conv1": 112, "pool1": 56, "stage2_4": 28, "stage3_8": 14, "stage4_4": 7},
    "shufflenet_v2_1.0": {"conv1": 112, "pool1": 56, "stage2_4": 28, "stage3_8": 14, "stage4_4": 7, "conv5": 7},
    "mobilenet_v2": {"conv1": 112, "conv2_1/project": 112, "conv4_3": 28, "conv7_3": 7, "conv9": 7},
    "fractalnet": {"block1": 32, "pool1": 16, "pool5": 1},
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_maps(name: str) -> None:
    known = shapes(name)
    assert {value: known[value][1:] for value in SIZES[name]} == {value: (n, n) for value, n in SIZES[name].items()}


def test_the_size_of_an_output() -> None:
    """W2 = (W1 - F + 2P) / S + 1"""
    for w1, f, p, s in [(227, 11, 0, 4), (7, 3, 0, 1), (7, 3, 0, 2), (32, 5, 2, 1), (224, 7, 3, 2), (31, 5, 1, 3)]:
        net = Builder("one", (3, w1, w1), seed=None)
        w2, pooled = (w1 - f + 2 * p) // s + 1, (w1 - f) // s + 1
        assert net.conv(net.image, "conv", 10, f, stride=s, pad=p).spec.dims == (1, 10, w2, w2)
        assert net.max_pool(net.image, "pool", f, stride=s).spec.dims == (1, 3, pooled, pooled)


def test_the_parameters_of_a_convolution() -> None:
    """(F F D) K + K, and without biases as many fewer."""
    for f, d, k in [(11, 3, 96), (5, 3, 10), (1, 64, 32), (3, 256, 256)]:
        for bias in (True, False):
            net = Builder("one", (d, 32, 32), seed=None)
            graph = net.graph(net.conv(net.image, "conv", k, f, bias=bias))
            assert count(graph).parameters == f * f * d * k + k * bias


def test_the_first_layers_of_alexnet() -> None:
    known, graph = shapes("alexnet"), build("alexnet", seed=None)
    assert (known["conv1"], known["pool1"]) == ((96, 55, 55), (96, 27, 27))
    first = count(graph.replace(outputs=("pool1",)).pruned())
    assert first.parameters == 34_944
    assert graph.constants["conv1/weight"].size == 34_848


def test_three_small_windows_against_a_large_one() -> None:
    """They see as far, with 27 C² weights for 49 C², and keep the size."""
    for c in (16, 64):
        small, large = (Builder(name, (c, 20, 20), seed=None) for name in ("small", "large"))
        x = small.image
        for i in range(3):
            x = small.conv(x, f"conv{i}", c, 3, pad=1, bias=False)
        y = large.conv(large.image, "conv", c, 7, pad=3, bias=False)
        assert x.spec == y.spec
        assert (count(small.graph(x)).parameters, count(large.graph(y)).parameters) == (27 * c * c, 49 * c * c)


def test_the_naive_inception_module_and_the_other() -> None:
    naive, better = (Builder(name, (256, 28, 28), seed=None) for name in ("naive", "better"))
    x = naive_inception(naive, naive.image, "module", 128, 192, 96)
    y = inception(better, better.image, "module", 128, 64, 192, 64, 96, 64)
    assert (x.spec.dims, y.spec.dims) == ((1, 672, 28, 28), (1, 480, 28, 28))
    assert agrees(count(naive.graph(x)).macs, "854 M")
    assert agrees(count(better.graph(y)).macs, "271 M")


def test_googlenet_has_nine_modules() -> None:
    for name, channels in (("googlenet", 1024), ("googlenet_naive", 4944)):
        known = shapes(name)
        modules = [value for value in known if re.fullmatch(r"inception_\w+", value)]
        assert len(modules) == 9
        assert known[modules[-1]] == (channels, 7, 7)


def test_googlenet_by_its_own_paper() -> None:
    """1.5 billion is the sum of Table 1, whose first row counts 34 M where 112 x 112 x 64 x 147 multiply-adds are."""
    counted = count(build("googlenet", seed=None)).macs
    assert agrees(counted - 112 * 112 * 64 * 147 + 34_000_000, "1.5 G")


@pytest.mark.skipif(not ZOO.is_dir(), reason=f"no networks in {ZOO}; TINYCNN_SHARED says where they are")
@pytest.mark.parametrize(
    ("file", "name", "folded"),
    [
        ("bvlc_googlenet_fp32", "googlenet", False),
        ("squeezenet1.1-7_fp32", "squeezenet1.1", False),
        ("mobilenetv2_fp32_dequant", "mobilenet_v2", True),
    ],
)
def test_networks_that_others_trained_have_the_same_counts(file: str, name: str, folded: bool) -> None:
    """folded: its normalisations are biases already, one number a channel for two."""
    graph = load_onnx(ZOO / f"{file}.onnx")
    theirs = count(bind(graph, dict.fromkeys(graph.inputs, (1, 3, 224, 224))))
    ours = count(build(name, seed=None))
    norms = sum(a.size for key, a in build(name, seed=None).constants.items() if key.endswith("/shift"))
    assert theirs.macs == ours.macs
    assert theirs.layers == ours.layers
    assert theirs.parameters == ours.parameters - (norms if folded else 0)
