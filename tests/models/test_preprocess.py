"""Pictures of every mode and every kind of damage, and the tensors made of them."""

import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinycnn.errors import OptionError, PictureError
from tinycnn.models.mnist import centre_digit
from tinycnn.models.preprocess import Preprocess, load_picture

RED = (255, 0, 0)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def corner(path: Path) -> tuple[int, int, int]:
    picture = load_picture(path)
    assert picture.mode == "RGB"
    return picture.getpixel((0, 0))


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("1", 1, "png", (255, 255, 255)),
        ("L", 77, "png", (77, 77, 77)),
        ("LA", (0, 51), "png", (204, 204, 204)),
        ("RGB", RED, "png", RED),
        ("RGBA", (255, 0, 0, 51), "png", (255, 204, 204)),
        ("RGBA", (0, 0, 0, 0), "webp", (255, 255, 255)),
        ("CMYK", (0, 255, 255, 0), "tif", RED),
        ("I;16", 257 * 99, "png", (99, 99, 99)),
        ("I;16", 257 * 99, "tif", (99, 99, 99)),
    ],
)
def test_each_mode_becomes_rgb(tmp_path: Path, mode: str, colour: object, suffix: str, expected: object) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    assert corner(saved(Image.new(mode, (5, 3), colour), tmp_path / f"a.{suffix}", **options)) == expected


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (5, 3), 1)
    image.putpalette([0, 0, 0, *RED])
    assert corner(saved(image, tmp_path / "opaque.png")) == RED
    assert corner(saved(image, tmp_path / "clear.png", transparency=1)) == (255, 255, 255)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95)
    assert np.abs(np.subtract(corner(path), RED)).max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(turned)), tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(load_picture(path))[..., 0], upright)


def announcing_png(width: int, height: int) -> bytes:
    """A PNG that announces width x height 1-bit pixels and holds none."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"")))
    parts = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def noise_file(path: Path) -> bytes:
    noise = np.random.default_rng(7).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    return saved(Image.fromarray(noise), path).read_bytes()


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
def test_a_truncated_picture_is_refused_by_name(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"half.{suffix}"
    data = noise_file(path)
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PictureError, match=rf"half\.{suffix}"):
        load_picture(path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_a_damaged_picture_is_read_or_refused_by_name(tmp_path: Path, suffix: str) -> None:
    """Changed bytes make another picture, or one error: never an error of the decoder's own."""
    path, r = tmp_path / f"damaged.{suffix}", random.Random(5)
    data = noise_file(path)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(r.choice([1, 4, 30])):
            damaged[r.randrange(r.choice([60, len(data)]))] = r.randrange(256)
        path.write_bytes(damaged)
        try:
            assert load_picture(path).mode == "RGB"
        except PictureError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a few words\n", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
        (announcing_png(1 << 13, (1 << 13) + 1), r"8192x8193 is more than \d+ pixels"),
        (announcing_png(1 << 30, 1 << 30), "pixels"),
    ],
    ids=["text", "postscript", "above_limit", "bomb"],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=reason) as caught:
        load_picture(path)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_missing_files_folders_and_float_samples_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.png", tmp_path, saved(Image.new("F", (5, 3), 0.5), tmp_path / "float.tif")):
        with pytest.raises(PictureError, match="not a readable picture"):
            load_picture(path)


def test_channel_order_scale_mean_std_and_layout() -> None:
    image = Image.new("RGB", (9, 7), (10, 20, 30))
    common = {"size": (3, 5), "scale": 0.5, "mean": (1.0, 2.0, 3.0), "std": (2.0, 4.0, 8.0)}
    rgb = Preprocess(**common).apply(image)
    bgr = Preprocess(**common, colour="bgr", layout="nhwc").apply(image)
    assert rgb.shape == (1, 3, 3, 5) and bgr.shape == (1, 3, 5, 3)
    assert rgb.dtype == bgr.dtype == np.float32 and rgb.flags.c_contiguous and bgr.flags.c_contiguous
    assert np.allclose(rgb[0, :, 2, 4], [2.0, 2.0, 1.5])
    assert np.allclose(bgr[0, 2, 4], [7.0, 2.0, 0.25])
    assert Preprocess((3, 5), colour="grey").apply(image).shape == (1, 1, 3, 5)


def test_crop_keeps_the_centre_and_stretch_keeps_all() -> None:
    ramp = Image.fromarray(np.tile(np.arange(0, 240, dtype=np.uint8), (120, 1)))
    crop = Preprocess((60, 60), colour="grey", short_side=120).apply(ramp)[0, 0]
    assert np.array_equal(crop, np.tile(np.arange(90, 150, dtype=np.float32), (60, 1)))
    half = Preprocess((60, 60), colour="grey", short_side=60).apply(ramp)[0, 0]
    assert abs(half[30, 0] - 60.5) <= 1 and abs(half[30, -1] - 178.5) <= 1
    whole = Preprocess((60, 60), colour="grey", fit="stretch").apply(ramp)[0, 0]
    assert whole[30, 0] < 4 and whole[30, -1] > 235


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("size", [(120, 240), (240, 120)], ids=["wide", "tall"])
def test_ten_crops_are_corners_centre_and_mirror_images(size: tuple[int, int], layout: str) -> None:
    h, w = size
    down, across = np.mgrid[:h, :w].astype(np.uint8)
    picture = Image.fromarray(np.stack([down, across, np.zeros_like(down)], axis=-1))
    ten = Preprocess((100, 90), short_side=120, layout=layout).ten_crop(picture)
    views = ten if layout == "nhwc" else ten.transpose(0, 2, 3, 1)
    assert ten.dtype == np.float32 and ten.flags.c_contiguous and views.shape == (10, 100, 90, 3)
    corners = [(0, 0), (0, w - 90), (h - 100, 0), (h - 100, w - 90), ((h - 100) / 2, (w - 90) / 2)]
    for view, mirrored, corner in zip(views[:5], views[5:], corners, strict=True):
        assert np.array_equal(view[0, 0, :2], corner)
        assert np.array_equal(view[-1, -1, :2], np.add(corner, (99, 89)))
        assert np.array_equal(mirrored, view[:, ::-1])
    assert np.array_equal(views[4], np.moveaxis(Preprocess((100, 90), short_side=120).apply(picture)[0], 0, -1))


@pytest.mark.parametrize("table", [{"fit": "stretch"}, {"fit": "digit", "colour": "grey"}])
def test_ten_crops_of_what_is_not_cropped_are_refused(table: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="ten crops"):
        Preprocess((28, 28), **table).ten_crop(Image.new("L", (30, 30)))


def test_a_very_long_picture_needs_no_memory() -> None:
    image = Image.new("L", (1, 1_000_000), 9)
    for fit in ("crop", "stretch", "digit"):
        assert Preprocess((224, 224), colour="grey", fit=fit).apply(image).shape == (1, 1, 224, 224)


@pytest.mark.parametrize("shape", [(9, 4), (80, 31), (300, 300)])
def test_digits_fill_the_box_and_stand_at_their_centre_of_mass(shape: tuple[int, int]) -> None:
    canvas = np.zeros((400, 500), np.uint8)
    canvas[20 : 20 + shape[0], 100 : 100 + shape[1]] = 180
    field = centre_digit(canvas, (28, 28))
    rows, columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    assert rows.size == 20 and field.max() == 255
    for weights, used in ((field.sum(axis=1), rows), (field.sum(axis=0), columns)):
        assert 14 <= np.average(np.arange(28) + 0.5, weights=weights) < 15 and used[0] >= 0


def test_ink_on_paper_equals_white_on_black() -> None:
    digit = np.zeros((64, 48), np.uint8)
    digit[10:50, 20:28] = 200
    auto = Preprocess((28, 28), colour="grey", fit="digit", invert="auto")
    white_on_black, black_on_white = auto.apply(Image.fromarray(digit)), auto.apply(Image.fromarray(255 - digit))
    assert white_on_black.max() == 255
    assert np.array_equal(white_on_black, black_on_white)


def test_a_blank_picture_has_no_ink() -> None:
    for level in (0, 128, 255):
        blank = Image.new("L", (40, 30), level)
        assert not Preprocess((28, 28), colour="grey", fit="digit", invert="auto").apply(blank).any()


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"size": [28]},
        {"size": [0, 28]},
        {"size": 28},
        {"size": [28, 28], "sise": 3},
        {"size": [28, 28], "colour": "grau"},
        {"size": [28, 28], "short_side": 20},
        {"size": [28, 28], "fit": "digit"},
        {"size": [28, 28], "mean": [1.0, 2.0]},
        {"size": [28, 28], "std": [0.0]},
        {"size": [28, 28], "layout": "chwn"},
        {"size": [28, 28], "invert": "sometimes"},
    ],
)
def test_cards_that_contradict_themselves_are_refused(table: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="preprocess: "):
        Preprocess.from_card(table)


def test_a_card_table_gives_the_same_preprocess() -> None:
    table = {"size": [224, 200], "colour": "bgr", "short_side": 256, "mean": [104.0, 117.0, 123.0]}
    assert Preprocess.from_card(table) == Preprocess((224, 200), "bgr", short_side=256, mean=(104.0, 117.0, 123.0))
