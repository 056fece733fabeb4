"""What the README shows works as it stands there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

import tinycnn
from tinycnn.classify import Classifier
from tinycnn.cli import main
from tinycnn.cli.classify import DEFAULT_MODEL
from tinycnn.errors import DeviceError
from tinycnn.models import architectures, builder, card, card_names, zoo
from tinycnn.ops import REGISTRY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ("README.md", "ARCHITECTURE.md", "bench/README.md", "bench/cuda/README.md", "docs/features.md")
HOMES = ("", "tinycnn", "tinycnn/kernels/cpu", "tinycnn/kernels/cuda", "bench", "bench/cuda")
API, CUDA, OPERATOR = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    exec(API, names)
    assert [y.shape for y in names["outputs"]] == [(1, 10)]
    assert names["features"].shape == (1, 16, 5, 5)


def test_the_providers() -> None:
    code = CUDA.replace("model.onnx", str(tinycnn.models.card("lenet5").path))
    names: dict[str, Any] = {"rt": tinycnn}
    try:
        exec(code, names)
        assert names["session"].get_providers() == ["CUDAExecutionProvider"]
    except DeviceError as error:
        assert "NVIDIA" in str(error)


def test_the_picture_is_classified_as_shown() -> None:
    answers = re.findall(r"^    (models/samples/\S+)? +(\w+) +([\d.]+)%$", README, re.M)
    assert len(answers) == 5
    guesses = Classifier(DEFAULT_MODEL)(ROOT / answers[0][0])
    assert [guess.label for guess in guesses] == [label for _, label, _ in answers]
    shown = [float(percent) / 100 for _, _, percent in answers]
    np.testing.assert_allclose([guess.probability for guess in guesses], shown, atol=0.00051)  # of one decimal


@pytest.mark.parametrize("name", card_names())
def test_what_trained_networks_reach_is_what_their_cards_say(name: str) -> None:
    measured = [row for row in (card(name).accuracy, *card(name).comparisons) if row.metric.startswith("top-1")]
    assert measured
    for row in measured:
        assert f"{row.value:.2%}".replace("%", " %") in README and f"`{row.command}`" in README


def test_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(REGISTRY, "Trilu", raising=False)
    exec(OPERATOR, {"__name__": "readme"})
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Trilu", ["a"], ["y"], upper=0)]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3, 4]) for name in "xy")
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 21)])
    value = np.random.default_rng(0).standard_normal((2, 3, 4), np.float32)
    [result] = tinycnn.InferenceSession(model).run(None, {"x": value})
    np.testing.assert_array_equal(result, np.tril(np.maximum(value, 0)))
    REGISTRY.pop("Trilu")


def test_the_network_of_the_architecture_page() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Adding a network")[2].partition("\n## ")[0]
    names: dict[str, Any] = {**vars(architectures), **vars(builder)}
    exec("\n".join(line[4:] for line in page.splitlines() if line.startswith("    ")), names)
    [tiny] = names["NETWORKS"]
    x = np.zeros((2, *tiny.input), np.float32)
    assert tinycnn.InferenceSession(tiny.build(num_classes=7)).run(None, {"image": x})[0].shape == (2, 7)


def test_the_commands_exist() -> None:
    [table] = re.findall(r"^## The command line\n\n(.*?)\n\n", README, re.M | re.S)
    shown = set(re.findall(r"^    tinycnn (\w+)", table, re.M))
    assert shown == set(main.commands)


def test_the_networks_of_the_zoo_are_counted() -> None:
    assert f"shows all {len(zoo.names())} with" in README


def test_the_links_lead_somewhere() -> None:
    for page in PAGES:
        path = ROOT / page
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{page}: {target}"


def test_files_that_are_spoken_of_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"`([\w/]+\.(?:py|toml|md|txt))`", (ROOT / page).read_text("utf-8")):
            homes = (
                ROOT,
                ROOT / "tinycnn",
                ROOT / "tinycnn/kernels/cpu",
                ROOT / "tinycnn/kernels/cuda",
                ROOT / "bench",
                ROOT / "bench/cuda",
            )
            assert any((home / name).exists() for home in homes), f"{page}: {name}"
