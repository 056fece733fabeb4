"""The command line: what it prints, and that bad input ends in one line and exit status 2."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper
from PIL import Image

import tinycnn
from tinycnn import knobs
from tinycnn.cli import main
from tinycnn.kernels.lowering import Choice, Request
from tinycnn.models import architecture_names, card, card_names, zoo
from tinycnn.tune.measure import Stopwatch

LENET = str(card("lenet5").path)
DEFAULT = card("cifar10_resnet")
MODEL_COMMANDS = ("run", "inspect", "bench", "convert", "profile", "tune")


def invoke(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], env=environment, catch_exceptions=False)


def result(*arguments: object, **variables: str) -> Any:
    """What the command prints with --json."""
    done = invoke(*arguments, "--json", **variables)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def message(done: Result) -> str:
    """The one line that a refused command prints."""
    assert done.exit_code == 2, done.output
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("tinycnn: error: ")
    assert "Traceback" not in done.output
    return lines[0]


@pytest.fixture
def picture() -> str:
    return str(next(path for path in card("lenet5").samples if path.stem == "digit_7"))


@pytest.fixture
def unsupported(tmp_path: Path) -> str:
    nodes = [
        helper.make_node("Whirl", ["x"], ["a"], "first", domain="of.nobody"),
        helper.make_node("Twirl", ["a"], ["y"], "second", domain="of.nobody"),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("of.nobody", 1)]
    path = tmp_path / "unsupported.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=opsets), path)
    return str(path)


@pytest.mark.parametrize(
    ("model", "answers"),
    [
        ([], {f"scene_{label}": label for label in ("airplane", "automobile", "ship")}),
        (["--model", "lenet5"], {f"digit_{digit}": str(digit) for digit in range(10)}),
    ],
    ids=["default", "lenet5"],
)
def test_classify_without_pictures_takes_the_packages_own(model: list[str], answers: dict[str, str]) -> None:
    told = result("classify", *model)
    assert {Path(name).stem: guesses[0]["label"] for name, guesses in told.items()} == answers


def test_classify_says_which_network_it_took() -> None:
    ship = DEFAULT.samples[-1]
    for done in (invoke("classify", ship), invoke("classify", ship, "--json")):
        assert "cifar10_resnet: " in done.output and "--model lenet5" in done.output
    done = invoke("classify", ship, "--model", "cifar10_resnet")
    assert done.stdout.startswith("cifar10_resnet: ") and "--model" not in done.output
    assert invoke("classify", ship, "--model", "trained:cifar10_resnet").output == done.output


def test_classify_has_no_pictures_for_a_file() -> None:
    assert LENET in message(invoke("classify", "--model", LENET))


def test_classify_shows_the_answers_in_order(picture: str) -> None:
    done = invoke("classify", picture, "--model", "lenet5", "--top", 3)
    assert done.exit_code == 0
    assert "digit_7.png" in done.stdout
    guesses = result("classify", picture, "--model", "lenet5", "--top", 3)[picture]
    assert len(guesses) == 3
    assert guesses[0]["label"] == "7"
    assert guesses[0]["probability"] > 0.9
    assert sorted(guesses, key=lambda g: -g["probability"]) == guesses


def test_classify_takes_any_model_with_labels(picture: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join("zero one two three four five six seven eight nine".split()))
    guesses = result("classify", picture, "--model", LENET, "--preset", "unit", "--labels", labels)[picture]
    assert len(guesses) == 5
    assert {g["label"] for g in guesses} <= set(labels.read_text().split())


def test_run_feeds_files_and_saves_results(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    np.save(tmp_path / "x.npy", x)
    rows = result("run", LENET, "--input", f"image={tmp_path / 'x.npy'}", "--save", tmp_path / "y.npz")
    assert rows["digit"]["shape"] == [2, 10]
    with np.load(tmp_path / "y.npz") as saved:
        wanted = tinycnn.InferenceSession(LENET).run(None, {"image": x})[0]
        np.testing.assert_array_equal(saved["digit"], wanted)
    assert "digit" in invoke("run", LENET, "--threads", 1).stdout


def test_inspect_tells_layers_and_sums() -> None:
    summary = result("inspect", LENET, "--shape", "image=3x1x28x28", "--report")
    assert summary["parameters"] == 61_706
    assert summary["macs"] == 3 * 416_520
    assert summary["inputs"] == {"image": "3x1x28x28"}
    assert all(layer["native"] and layer["algorithm"] and layer["reason"] for layer in summary["layers"])
    assert {action["what"] for action in summary["report"]} == {"fused"}
    table = invoke("inspect", LENET, "--report").stdout
    assert all(layer["name"] in table for layer in summary["layers"])


def test_inspect_by_a_wished_algorithm() -> None:
    layers = result("inspect", LENET, "--algorithm", "im2col")["layers"]
    assert {layer["algorithm"] for layer in layers if layer["operator"] == "Conv"} == {"im2col"}


def test_convert_writes_a_model_that_computes_the_same(tmp_path: Path) -> None:
    told = result("convert", LENET, "-o", tmp_path / "folded.onnx")
    assert told["nodes"] == 8
    assert len(told["report"]) == 4
    result("convert", LENET, "-o", tmp_path / "raw.onnx", "--raw")
    assert "fused" in invoke("convert", LENET, "-o", tmp_path / "folded.onnx", "--report").stdout
    x = np.random.default_rng(0).random((1, 1, 28, 28), np.float32)
    wanted = tinycnn.InferenceSession(LENET).run(None, {"image": x})[0]
    for name in ("folded", "raw"):
        onnx.checker.check_model(onnx.load(tmp_path / f"{name}.onnx"))
        y = tinycnn.InferenceSession(str(tmp_path / f"{name}.onnx")).run(None, {"image": x})[0]
        np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


def test_bench_compares_with_onnxruntime() -> None:
    pytest.importorskip("onnxruntime")
    told = result("bench", LENET, "--seconds", 0)
    assert told["runs"] >= 5
    assert told["error"] < 1e-5
    assert min(told["tinycnn_ms"], told["onnxruntime_ms"]) > 0
    assert "speed-up" in invoke("bench", LENET, "--seconds", 0).stdout


def test_profile_tells_layers_and_sums_and_writes_trace_and_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    trace, plot = tmp_path / "trace.json", tmp_path / "layers.png"
    told = result("profile", LENET, "--runs", 2, "--shape", "image=2x1x28x28", "--trace", trace, "--plot", plot)
    layers = result("inspect", LENET, "--shape", "image=2x1x28x28")["layers"]
    assert [layer["name"] for layer in told["layers"]] == [layer["name"] for layer in layers]
    assert (told["runs"], told["inputs"]) == (2, {"image": "2x1x28x28"})
    assert {"stages", "cache", "open_ms", "first_run_ms", "median_ms", "p90_ms", "p99_ms", "machine"} <= set(told)
    assert {layer["name"] for layer in layers} < {e["name"] for e in json.loads(trace.read_text())["traceEvents"]}
    assert Image.open(plot).format == "PNG"
    done = invoke("profile", LENET, "--runs", 2, "--threads", 1, "--algorithm", "im2col")
    assert done.exit_code == 0 and "im2col" in done.stdout and "GFLOP/s a core" in done.stdout
    assert all(layer["name"] in done.stdout for layer in layers)


def test_profile_refuses_before_it_measures_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unsupported: str
) -> None:
    def measured(*arguments: object) -> None:
        raise AssertionError("a session was opened")

    with monkeypatch.context() as patch:
        patch.setattr("tinycnn.cli.profile.open_session", measured)
        target = tmp_path / "absent" / "t"
        assert str(target) in message(invoke("profile", LENET, "--trace", f"{target}.json"))
        assert "layers.bmp" in message(invoke("profile", LENET, "--plot", tmp_path / "layers.bmp"))
        patch.setitem(sys.modules, "matplotlib", None)
        assert "tinycnn[bench]" in message(invoke("profile", LENET, "--plot", tmp_path / "layers.png"))
    assert invoke("profile", LENET, "--runs", 0).exit_code == 2
    trace = tmp_path / "trace.json"
    assert invoke("profile", unsupported, "--trace", trace).exit_code == 2
    assert not trace.exists() and sorted(p.name for p in tmp_path.iterdir()) == ["unsupported.onnx"]


@pytest.fixture
def made_up_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """By which the universal convolution is the fastest, and of those to the plain layout a tile that is none's first
    choice."""

    def measure(self: Stopwatch, request: Request, choices: Sequence[Choice]) -> list[float]:
        return [1e-3 if choice.algorithm == "im2col" or choice.variant == "6x1" else 3e-3 for choice in choices]

    monkeypatch.setattr(Stopwatch, "__call__", measure)


@pytest.mark.usefixtures("made_up_times")
def test_tune_keeps_what_sessions_then_obey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tuned.json"
    monkeypatch.setenv(knobs.TUNED.name, str(file))
    told = result("tune", LENET, "--threads", 2)
    assert [layer["name"] for layer in told["layers"]] == ["conv1", "conv2"]
    assert told["file"] == str(file) and set(told["sums"]) == {"1", "2"}
    assert told["sums"]["1"] == {"model_ms": 6.0, "best_ms": 2.0, "model_to_best": 3.0}
    assert set(json.loads(file.read_text())["choices"]) == {layer["request"] for layer in told["layers"]}
    shown = invoke("tune", LENET, "--threads", 1).stdout
    [predicted] = [
        layer["algorithm"]
        for layer in result("inspect", LENET, "--threads", 1, **{knobs.TUNED.name: "off"})["layers"]
        if layer["name"] == "conv2"
    ]
    for text in (f"{predicted} ", "im2col", "3.000 > 1.000", "take 3.000 times as long", str(file)):
        assert text in shown
    layers = {layer["name"]: layer for layer in result("inspect", LENET, "--threads", 1)["layers"]}
    for name in ("conv1", "conv2"):
        assert layers[name]["reason"].startswith("tuned on this machine: 1 ms, predicted 0.0")
    assert layers["conv2"]["algorithm"] == "im2col"
    assert "; second direct 3; " in layers["conv2"]["reason"]
    untuned = invoke("inspect", LENET, **{knobs.TUNED.name: "off"})
    assert "tuned" not in untuned.stdout and not untuned.stderr


@pytest.mark.usefixtures("made_up_times")
def test_tune_refuses_before_it_measures(tmp_path: Path) -> None:
    def error(model: str, file: object) -> str:
        return message(invoke("tune", model, **{knobs.TUNED.name: str(file)}))

    other = tmp_path / "notes.json"
    other.write_text("{}")
    assert "'off'" in error(LENET, "off")
    assert "remove it" in error(LENET, other) and other.read_text() == "{}"
    assert str(tmp_path / "nowhere") in error(LENET, tmp_path / "nowhere" / "tuned.json")
    assert invoke("tune", LENET, "--seconds", -1).exit_code == 2


def test_a_file_of_choices_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tuned.json"
    assert "tinycnn tune" in message(invoke("inspect", LENET, **{knobs.TUNED.name: str(file)}))
    file.write_text('{"choices"')
    done = invoke("inspect", LENET, **{knobs.TUNED.name: str(file)})
    assert done.exit_code == 0 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"tinycnn: warning: {file}: tuned choices are not used: ")


def test_models_are_listed_with_their_counts() -> None:
    rows = {row["name"]: row for row in result("models")}
    assert tuple(rows) == architecture_names()
    resnet, googlenet = rows["resnet50"], rows["googlenet"]
    assert (resnet["layers"], resnet["parameters"], resnet["macs"]) == (50, 25_557_032, 3_857_973_248)
    assert (resnet["year"], resnet["input"], resnet["classes"]) == (2015, [3, 224, 224], 1000)
    assert googlenet["published"]["macs"] == "1.43 G" and googlenet["published"]["options"] == {"round_up": False}
    table = invoke("models").stdout
    assert all(row["paper"] in table and f"{row['parameters']:,}" in table for row in rows.values())


def test_trained_networks_are_listed_with_their_cards() -> None:
    rows = {row["name"]: row for row in result("models", "--trained")}
    assert tuple(rows) == card_names()
    for name, row in rows.items():
        assert row["accuracy"] == vars(card(name).accuracy) and row["path"] == str(card(name).path)
    assert len(rows["cifar10_vgg"]["comparisons"]) == 2
    table = invoke("models", "--trained").stdout
    assert all(name in table and f"{row['accuracy']['value']:g}" in table for name, row in rows.items())


def test_a_network_may_be_named_in_place_of_a_file(tmp_path: Path) -> None:
    done = invoke("inspect", "SqueezeNet-1.1", "--json")
    assert done.stderr.startswith("squeezenet1.1 by its name: weights drawn at random")
    summary = json.loads(done.stdout)
    assert (summary["model"], summary["parameters"], summary["macs"]) == ("squeezenet1.1", 1_235_496, 349_151_936)
    assert result("run", "nin", "--output", "pool1")["pool1"]["shape"] == [1, 96, 16, 16]
    assert result("convert", "nin", "-o", tmp_path / "nin.onnx")["nodes"] == 13
    assert result("inspect", tmp_path / "nin.onnx")["parameters"] == 966_986
    pytest.importorskip("onnxruntime")
    assert result("bench", "nin", "--seconds", 0, "--shape", "image=2x3x32x32")["error"] < 1e-5


def test_a_named_network_is_built_for_the_shape_that_is_asked_for() -> None:
    summary = result("inspect", "mobilenet_v1_0.25", "--shape", "image=2x3x96x64")
    assert summary["inputs"] == {"image": "2x3x96x64"} and summary["outputs"] == {"fc": "float32[2x1000]"}
    assert "layer 'pool5' runs out of pixels" in message(invoke("inspect", "vgg16", "--shape", "image=1x3x16x16"))
    for shape in ("image=1x1x96x96", "image=1x3", "image=1", "image=1x3x8x8x8"):
        assert invoke("inspect", "mobilenet_v1_0.25", "--shape", shape).exit_code == 2


def test_trained_weights_are_asked_for_or_told_of() -> None:
    done = invoke("inspect", "lenet5", "--json")
    assert "drawn at random" in done.stderr and "trained:lenet5" in done.stderr
    assert json.loads(done.stdout)["inputs"] == {"image": "1x1x32x32"}
    done = invoke("inspect", "trained:lenet5", "--json")
    assert done.stderr == f"trained:lenet5: {LENET}\n"
    assert json.loads(done.stdout)["inputs"] == {"image": "1x1x28x28"}
    assert "trained" not in invoke("inspect", "nin", "--json").stderr


@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_name_that_only_trained_weights_have(command: str, tmp_path: Path) -> None:
    output = ["-o", tmp_path / "out.onnx"] if command == "convert" else []
    if command == "bench":
        pytest.importorskip("onnxruntime")
        output = ["--seconds", 0]
    tuned = {}
    if command == "tune":
        output, tuned = ["--seconds", 0.001], {knobs.TUNED.name: str(tmp_path / "tuned.json")}
    done = invoke(command, "cifar10_resnet", *output, **tuned)
    assert (done.exit_code, done.stderr) == (0, f"cifar10_resnet: {card('cifar10_resnet').path}\n")


@pytest.mark.parametrize("name", ["trained:vgg16", "vgg16-bn"])
@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_network_of_the_zoo_that_is_not_here(command: str, name: str, tmp_path: Path) -> None:
    elsewhere = {knobs.ZOO.name: "", knobs.MODELS.name: str(tmp_path)}
    if command == "tune":
        elsewhere[knobs.TUNED.name] = str(tmp_path / "tuned.json")
    output = ["-o", tmp_path / "out.onnx"] if command == "convert" else []
    told = message(invoke(command, name, *output, **elsewhere))
    assert f"`tinycnn pull {name.removeprefix('trained:')}` first" in told


def test_a_network_of_the_zoo_that_is_here(tmp_path: Path) -> None:
    [file] = zoo.entry("squeezenet1.1").files[:1]
    (tmp_path / file.name).write_bytes(Path(LENET).read_bytes())
    here = {knobs.ZOO.name: str(tmp_path)}
    done = invoke("inspect", "trained:squeezenet1.1", "--json", **here)
    assert done.stderr == f"trained:squeezenet1.1: {tmp_path / file.name}\n"
    assert json.loads(done.stdout)["parameters"] == 61_706


def test_a_trained_network_that_does_not_exist() -> None:
    told = message(invoke("inspect", "trained:resnet51"))
    assert "no trained network is named 'resnet51'" in told and "resnet50" in told


@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_name_of_no_network(command: str, tmp_path: Path) -> None:
    told = message(model_command(command, "resnet51", tmp_path))
    assert "'resnet51'" in told and "resnet50" in told and "resnet152" in told


@pytest.mark.parametrize("command", ["run", "inspect", "convert"])
def test_random_weights_have_no_dropout_to_scale(command: str, tmp_path: Path) -> None:
    output = ["-o", tmp_path / "out.onnx"] if command == "convert" else []
    assert "--dropout" in message(invoke(command, "alexnet", "--dropout", "scale", *output))


def test_a_file_comes_before_a_network_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resnet50").write_bytes(Path(LENET).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert result("inspect", "resnet50")["parameters"] == 61_706


def test_warmup_leaves_nothing_to_compile() -> None:
    assert result("warmup")["kernels"] > 50
    assert result("warmup")["compiled"] == 0
    assert "0 compiled now" in invoke("warmup").stdout


def test_knobs_are_listed() -> None:
    assert [row["name"] for row in result("knobs")] == [knob.name for knob in knobs.KNOBS]
    assert knobs.ISA.name in invoke("knobs").stdout


@pytest.mark.parametrize("command", ["", *main.commands])
def test_each_command_explains_itself(command: str) -> None:
    done = invoke(*[command] if command else [], "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def model_command(command: str, model: object, tmp_path: Path) -> Result:
    written, tuned = tmp_path / "out.onnx", tmp_path / "tuned.json"
    environment = {knobs.TUNED.name: str(tuned)} if command == "tune" else {}
    done = invoke(command, model, *(["-o", written] if command == "convert" else []), **environment)
    assert not written.exists() and not tuned.exists()
    return done


@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_missing_model(command: str, tmp_path: Path) -> None:
    assert "absent.onnx" in message(model_command(command, tmp_path / "absent.onnx", tmp_path))


@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_truncated_model(command: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(Path(LENET).read_bytes()[:1000])
    assert "broken.onnx" in message(model_command(command, broken, tmp_path))


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    assert str(tmp_path) in message(invoke("inspect", tmp_path))


def test_every_problem_of_a_model_is_told_at_once(unsupported: str) -> None:
    done = invoke("inspect", unsupported)
    assert done.exit_code == 2
    for node in ("first", "second"):
        assert node in done.stderr
    done = invoke("inspect", unsupported, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 2
    assert told["error"] == "UnsupportedModelError"
    assert [p["node"] for p in told["problems"]] == ["first", "second"]


def test_what_is_no_picture(tmp_path: Path) -> None:
    fake = tmp_path / "fake.png"
    fake.write_text("not a picture")
    assert "fake.png" in message(invoke("classify", fake))
    assert "absent.png" in message(invoke("classify", tmp_path / "absent.png"))


def test_a_damaged_picture_brings_no_warnings(tmp_path: Path) -> None:
    """In the installed command: pytest takes warnings for itself."""
    Image.new("L", (40, 30), 9).save(tmp_path / "half.tif")
    (tmp_path / "half.tif").write_bytes((tmp_path / "half.tif").read_bytes()[:13])
    command = [sys.executable, "-m", "tinycnn", "classify", "half.tif"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "half.tif" in done.stderr


def test_a_folder_of_pictures_and_an_empty_one(tmp_path: Path) -> None:
    assert "no picture" in message(invoke("classify", tmp_path))
    for name in ("2.png", "1.png"):
        Image.new("L", (40, 30)).save(tmp_path / name)
    assert list(result("classify", tmp_path)) == [str(tmp_path / "1.png"), str(tmp_path / "2.png")]


def test_an_unknown_network_is_told_those_that_exist(picture: str) -> None:
    assert "lenet5" in message(invoke("classify", picture, "--model", "lenet6"))
    assert "imagenet" in message(invoke("classify", picture, "--model", LENET, "--preset", "mystery"))


@pytest.mark.parametrize("shape", ["image=1x3x28x28", "image=1x28", "image=0x1x28x28"])
def test_a_shape_that_contradicts_the_model(shape: str) -> None:
    done = invoke("inspect", LENET, "--shape", shape)
    assert done.exit_code == 2
    assert "image" in done.stderr


@pytest.mark.parametrize("shape", ["image", "image=", "1x1x28x28", "image=axb", "image=-1x1x28x28"])
def test_a_shape_that_is_none(shape: str) -> None:
    assert invoke("inspect", LENET, "--shape", shape).exit_code == 2


def test_a_feed_that_does_not_fit(tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((1, 1, 28, 29), np.float32))
    np.save(tmp_path / "double.npy", np.zeros((1, 1, 28, 28)))
    (tmp_path / "no.npy").write_text("no array")
    for name, culprit in (("wide", "1x1x28x29"), ("double", "float64"), ("no", "no.npy"), ("absent", "absent.npy")):
        assert culprit in message(invoke("run", LENET, "--input", f"image={tmp_path / name}.npy"))
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 28, 28), np.float32))
    assert "picture" in message(invoke("run", LENET, "--input", f"picture={tmp_path / 'x.npy'}"))
    assert "nonsense" in message(invoke("run", LENET, "--input", "nonsense"))
    assert "nothing" in message(invoke("run", LENET, "--output", "nothing"))


def test_a_result_that_cannot_be_written(tmp_path: Path) -> None:
    target = tmp_path / "absent" / "y"
    assert str(target) in message(invoke("run", LENET, "--save", f"{target}.npz"))
    assert str(target) in message(invoke("convert", LENET, "-o", f"{target}.onnx"))
    assert list(tmp_path.iterdir()) == []


def test_options_that_do_not_exist(tmp_path: Path) -> None:
    assert "direct" in message(invoke("inspect", LENET, "--algorithm", "guessing"))
    assert "portable" in message(invoke("warmup", "--isa", "mmx"))
    assert knobs.THREADS.name in message(invoke("inspect", LENET, **{knobs.THREADS.name: "many"}))
    assert knobs.ISA.name in message(invoke("inspect", LENET, **{knobs.ISA.name: "mmx"}))


def test_a_cache_folder_that_cannot_be_written(tmp_path: Path, picture: str) -> None:
    (tmp_path / "file").write_text("no folder")
    unwritable = {knobs.CACHE.name: str(tmp_path / "file" / "cache")}
    assert knobs.CACHE.name in message(invoke("warmup", **unwritable))
    assert invoke("classify", picture, **unwritable).exit_code == 0


def test_the_installed_command(picture: str, tmp_path: Path) -> None:
    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tinycnn", *arguments]
        environment = {**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    done = call("classify", picture, "--model", "lenet5", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[picture][0]["label"] == "7"
    done = call("inspect", "absent.onnx")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert call("--version").stdout.split()[-1] == tinycnn.__version__
