"""The builder: names, shapes, weights and their sizes, and what it refuses."""

import re
from typing import Any

import numpy as np
import pytest

import tinycnn
from tinycnn.errors import OptionError, ShapeError, TinyCnnError
from tinycnn.models import Builder, architecture, architecture_names, build, count
from tinycnn.models.architectures import plain
from tinycnn.models.builder import Value
from tinycnn.models.initialisation import Moments
from tinycnn.ops.conv import Conv


def small(net: Builder, more: bool = False) -> Value:
    x = net.conv_norm_relu(net.image, "conv1", 8, 3, pad=1)
    if more:
        x = net.conv_norm_relu(x, "conv1b", 8, 3, pad=1)
    x = net.max_pool(net.conv_relu(x, "conv2", 12, 5, stride=2), "pool2", 2)
    return net.linear(net.dropout(net.flatten(x), "drop"), "fc", 7)


def test_layers_are_named_as_they_are_called() -> None:
    net = Builder("small", (3, 20, 24))
    graph = net.graph(small(net))
    assert [node.name for node in graph.nodes] == [
        "conv1", "conv1/norm", "conv1/relu", "conv2", "conv2/relu", "pool2", "flatten", "drop", "fc",
    ]  # fmt: skip
    assert all(node.outputs == (node.name,) for node in graph.nodes)
    assert {"conv1/weight", "conv1/norm/variance", "conv2/bias", "fc/weight", "drop/ratio"} <= set(graph.constants)
    assert "conv1/bias" not in graph.constants


def test_any_value_may_be_asked_for_by_its_name() -> None:
    net = Builder("small", (3, 20, 24))
    session = tinycnn.InferenceSession(net.graph(small(net)))
    x = np.random.default_rng(0).standard_normal((5, 3, 20, 24), np.float32)
    names = ["conv1", "conv1/relu", "conv2", "pool2", "flatten", "drop", "fc"]
    shapes = [(8, 20, 24), (8, 20, 24), (12, 8, 10), (12, 4, 5), (240,), (240,), (7,)]
    assert [y.shape for y in session.run(names, {"image": x})] == [(5, *shape) for shape in shapes]
    assert session.get_inputs()[0].shape == ["batch", 3, 20, 24]
    assert session.get_outputs()[0].shape == ["batch", 7]


def test_weights_follow_from_the_seed_and_the_layers_name() -> None:
    def constants(seed: int, more: bool = False) -> dict[str, np.ndarray]:
        net = Builder("small", (3, 20, 24), seed)
        return dict(net.graph(small(net, more)).constants)

    first, again, other, longer = constants(3), constants(3), constants(4), constants(3, more=True)
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        np.testing.assert_array_equal(array, longer[name])
        assert array.ndim == 0 or not np.array_equal(array, other[name])
        assert array.dtype == np.float32
    assert set(longer) > set(first)


def test_weights_are_he_initialised() -> None:
    weights = build("resnet18").constants
    for name, fan_in in (("conv1", 147), ("conv4_1/3x3_1", 128 * 9), ("conv5_2/3x3_2", 512 * 9), ("fc", 512)):
        w = weights[f"{name}/weight"]
        assert w.std() == pytest.approx((2 / fan_in) ** 0.5, rel=0.02)
        assert abs(w.mean()) < 0.02 * w.std()


def test_without_a_seed_weights_take_no_memory() -> None:
    drawn, counted = build("squeezenet1.1"), build("squeezenet1.1", seed=None)
    assert count(drawn) == count(counted)
    assert [a.shape for a in drawn.constants.values()] == [a.shape for a in counted.constants.values()]
    assert all(a.strides == (0,) * a.ndim for name, a in counted.constants.items() if "weight" in name)


def test_moments() -> None:
    """Against samples; of what the builder takes to be normal and independent."""
    rng = np.random.default_rng(0)
    mean, deviation = np.array([0.5, -1, 0, 2]), np.array([2, 0.7, 1, 0.1])
    x, y = (mean[:, None, None] + deviation[:, None, None] * rng.standard_normal((4, 500, 500)) for _ in range(2))
    moments, normal = Moments(mean, deviation**2), Moments(np.zeros(2), np.array([1, 9]))
    z = np.array([1, 3])[:, None, None] * rng.standard_normal((2, 9 * 500, 500))
    w = rng.standard_normal((6, 2, 3, 3))
    convolved = Conv(group=2).reference(x[None].astype(np.float32), w.astype(np.float32))[0][0]
    for expected, sample in (
        (moments.rectified(), np.maximum(x, 0)),
        (Moments.of_sum([moments, moments]), x + y),
        (Moments.side_by_side([moments, moments]), np.concatenate([x, y])),
        (moments.scaled(0.5, mean), 0.5 * x + mean[:, None, None]),
        (moments.at(np.array([2, 0])), x[[2, 0]]),
        (moments.convolved(w, 2), convolved),
        (normal.rectified().greatest(9), np.maximum(z, 0).reshape(2, 9, -1, 500).max(1)),
    ):
        np.testing.assert_allclose(expected.mean, sample.mean((1, 2)), atol=0.05)
        np.testing.assert_allclose(expected.variance, sample.var((1, 2)), rtol=0.03, atol=1e-6)
        np.testing.assert_allclose(expected.square, (sample**2).mean((1, 2)), rtol=0.03, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "values"),
    [
        ("resnet152", 64, ["conv2_3/sum", "conv3_8/sum", "conv4_10/sum", "conv4_36/sum", "conv5_3/sum"]),
        ("densenet264", 64, ["dense1_6/1x1/norm", "dense2_12/3x3/norm", "dense3_64/1x1/norm", "dense4_48/1x1/norm"]),
        ("wrn_28_10", 32, ["conv2_4", "conv3_4", "conv4_4"]),
        ("vgg19", 64, ["conv1_2", "conv3_4", "conv5_4", "fc7"]),
        ("shufflenet_v1_g8", 64, ["stage2_4", "stage3_8", "stage4_4"]),
        ("mobilenet_v2", 64, ["conv4_3", "conv7_3", "conv9/norm"]),
    ],
)
def test_activations_keep_their_size(name: str, size: int, values: list[str]) -> None:
    """Through all layers: neither all of them nothing, nor larger and larger."""
    session = tinycnn.InferenceSession(build(name, input_size=size))
    x = np.random.default_rng(1).standard_normal((2, 3, size, size), np.float32)
    for value, y in zip(values, session.run(values, {"image": x}), strict=True):
        assert np.isfinite(y).all(), value
        assert 0.1 < y.std() < 30, value


@pytest.mark.parametrize(
    ("name", "size", "layer", "window"),
    [
        ("alexnet", 62, "pool5", "2x2"),
        ("alexnet", 10, "conv1", "10x10"),
        ("vgg16", 31, "pool5", "1x1"),
        ("lenet5", 28, "c5", "4x4"),
        ("zfnet", 50, "pool5", "2x2"),
        ("googlenet", 8, "pool2", "2x2"),
        ("squeezenet1.1", 12, "pool3", "2x2"),
        ("nin", 1, "pool1", "1x1"),
        ("fractalnet", 31, "pool5", "1x1"),
        ("densenet121", 16, "transition3/pool", "1x1"),
        ("vgg11", (224, 15), "pool4", "28x1"),
    ],
)
def test_a_size_too_small_is_refused_with_the_layer(name: str, size: Any, layer: str, window: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(name)}: .*too small: layer '{layer}' runs out .* into {window}"):
        build(name, input_size=size, seed=None)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v1", "mobilenet_v2", "shufflenet_v2_1.0", "wrn_16_8"])
def test_padded_networks_take_a_single_pixel(name: str) -> None:
    assert count(build(name, input_size=1, seed=None)).parameters == count(build(name, seed=None)).parameters


def test_numbers_that_do_not_fit_together_name_the_layer() -> None:
    net = Builder("odd", (10, 8, 8))
    with pytest.raises(ShapeError, match="odd: layer 'grouped'"):
        net.conv(net.image, "grouped", 9, 3, group=3)
    with pytest.raises(ShapeError, match="odd: layer 'nothing'"):
        net.conv(net.image, "nothing", 0)
    with pytest.raises(ShapeError, match="odd: layer 'sum'"):
        net.add(net.image, net.max_pool(net.image, "pool", 2), "sum")
    with pytest.raises(ShapeError, match="mobilenet_v1: layer 'conv1'"):
        build("mobilenet_v1", width=0.01)


@pytest.mark.parametrize(
    ("name", "options", "culprit"),
    [
        ("resnet50", {"num_classes": 0}, "num_classes is 0"),
        ("resnet50", {"input_size": 0}, "input_size is 0"),
        ("resnet50", {"input_size": (32, -1)}, "input_size is -1"),
        ("resnet50", {"seed": -1}, "seed is -1"),
        ("resnet50", {"widht": 2}, "no option 'widht'; it has depths, bottleneck, width"),
        ("alexnet", {"width": 2}, "no option 'width'; it has none"),
        ("shufflenet_v1_g3", {"groups": 5}, "groups is 5, it must be one of 1, 2, 3, 4, 8"),
        ("shufflenet_v2_1.0", {"width": 3}, "width is 3, it must be one of 0.5"),
        ("fractalnet", {"columns": 0}, "columns is 0"),
    ],
)
def test_options_that_do_not_exist(name: str, options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(OptionError, match=culprit):
        build(name, **options)


@pytest.mark.parametrize(
    ("wish", "nearest"),
    [("resnet5", "resnet50"), ("vgg12", "vgg1"), ("mobilnet", "mobilenet_v"), ("densnet121", "densenet121")],
)
def test_an_unknown_name_gets_the_nearest(wish: str, nearest: str) -> None:
    with pytest.raises(OptionError, match=f"no network is named '{wish}'; the nearest are .*{nearest}"):
        build(wish)


def test_a_name_like_none() -> None:
    with pytest.raises(TinyCnnError, match="tinycnn models"):
        build("qqq")


def test_names_are_known_however_they_are_spelt() -> None:
    assert architecture("ResNet-50").name == "resnet50"
    assert architecture("WRN-28-10").name == "wrn_28_10"
    assert architecture("mobilenetv2").name == "mobilenet_v2"
    assert architecture("squeezenet1_1").name == "squeezenet1.1"
    names = architecture_names()
    assert len({plain(name) for name in names}) == len(names)


def test_other_classes_and_sizes() -> None:
    graph = build("resnet50", num_classes=3, input_size=(64, 96))
    assert graph.inputs["image"].shape == ("batch", 3, 64, 96)
    assert graph.specs["fc"].shape == ("batch", 3)
    [y] = tinycnn.InferenceSession(graph).run(None, {"image": np.zeros((2, 3, 64, 96), np.float32)})
    assert y.shape == (2, 3)
