"""Feature maps and filters as pictures, and what cannot be shown."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tinycnn.cli import main
from tinycnn.errors import OptionError
from tinycnn.models import Preprocess, card
from tinycnn.models.grid import filter_tile, map_tile
from tinycnn.picture_model import PictureModel
from tinycnn.show import first_filters, save_picture, show_filters, show_maps

LENET = card("lenet5")
SEVEN = str(next(path for path in LENET.samples if path.stem == "digit_7"))


@pytest.fixture(scope="module")
def model() -> PictureModel:
    return PictureModel.open("lenet5")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def holds(picture: Image.Image, pixels: np.ndarray) -> bool:
    """Whether a tile of these pixels, each as a square, stands in the picture."""
    times = -(-96 // max(pixels.shape[:2]))
    tile = pixels.repeat(times, axis=0).repeat(times, axis=1)
    whole = np.asarray(picture)
    windows = np.lib.stride_tricks.sliding_window_view(whole, tile.shape)[..., 0, :, :, :]
    corners = np.argwhere((whole[: windows.shape[0], : windows.shape[1]] == tile[0, 0]).all(axis=2))
    return any(np.array_equal(windows[y, x], tile) for y, x in corners)


def test_every_map_of_a_layer_is_shown(model: PictureModel) -> None:
    x = LENET.preprocess.apply(Image.open(SEVEN))
    [maps] = model.run(x, ["relu2"])
    picture = show_maps(model, SEVEN, "relu2")
    assert all(holds(picture, map_tile(channel, "").pixels) for channel in maps[0])
    few = show_maps(model, SEVEN, "relu2", most=3)
    assert [holds(few, map_tile(channel, "").pixels) for channel in maps[0, :4]] == [True, True, True, False]


def test_the_first_filters_are_shown(model: PictureModel) -> None:
    name, weights = first_filters(model)
    assert name == "conv1" and weights.shape == (6, 1, 5, 5)
    picture = show_filters(model)
    assert all(holds(picture, filter_tile(w, "").pixels) for w in weights)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_the_picture_beside_the_title_is_what_enters(layout: str, colour: str) -> None:
    p = Preprocess((4, 5), colour, "stretch", scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), layout=layout)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    assert np.array_equal(p.pixels(p.apply(Image.fromarray(pixels))[0]), pixels)
    assert p.shape == p.apply(Image.fromarray(pixels)).shape[1:]
    grey = Preprocess((4, 5), "grey", "stretch", layout=layout)
    shown = grey.pixels(grey.apply(Image.fromarray(pixels[..., 0]))[0])
    assert np.array_equal(shown, pixels[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("layer", ["fc1", "flatten"])
def test_what_has_no_height_and_width_is_refused(model: PictureModel, layer: str) -> None:
    with pytest.raises(OptionError, match=f"{layer}.*cannot be shown"):
        show_maps(model, SEVEN, layer)


def test_the_command_writes_a_picture(tmp_path: Path) -> None:
    for suffix in ("png", "webp", "jpg"):
        file = tmp_path / f"maps.{suffix}"
        told = json.loads(invoke("show", "lenet5", SEVEN, "--layer", "conv1", "-o", file, "--json").stdout)
        with Image.open(file) as picture:
            assert picture.size == (told["width"], told["height"])
    done = invoke("show", "lenet5", "--filters", "-o", tmp_path / "filters.png")
    assert done.exit_code == 0 and "filters.png" in done.stdout
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([SEVEN, "--layer", "conv9", "-o", "out.png"], "no layer is named 'conv9'; nearest: conv2, conv1"),
        ([SEVEN, "--layer", "fc1", "-o", "out.png"], "cannot be shown as maps"),
        (["damaged.png", "--layer", "conv1", "-o", "out.png"], "damaged.png: not a picture"),
        ([SEVEN, "--layer", "conv1", "-o", "out.xyz"], "out.xyz: the suffix must be one of .png"),
        ([SEVEN, "--layer", "conv1", "-o", "absent/out.png"], "absent/out.png: its folder does not exist"),
    ],
)
def test_bad_input_leaves_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.png").write_text("not a picture")
    done = invoke("show", "lenet5", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.png"]


@pytest.mark.parametrize("given", [[], [SEVEN], ["--layer", "conv1"], [SEVEN, "--layer", "conv1", "--filters"]])
def test_maps_or_filters_are_asked_for(given: list[str], tmp_path: Path) -> None:
    done = invoke("show", "lenet5", *given, "-o", tmp_path / "out.png")
    assert done.exit_code == 2 and "--filters" in done.stderr


def test_a_picture_that_cannot_be_written_keeps_what_was(model: PictureModel, tmp_path: Path) -> None:
    kept = tmp_path / "kept.png"
    kept.write_bytes(b"as it was")
    with pytest.raises(AttributeError):
        save_picture(None, kept)  # type: ignore[arg-type]
    assert kept.read_bytes() == b"as it was" and list(tmp_path.iterdir()) == [kept]
