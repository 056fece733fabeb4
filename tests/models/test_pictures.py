"""Folders of pictures, and pictures in batches."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinycnn.errors import PictureError
from tinycnn.models import Preprocess, find_pictures, picture_batches

GREY = Preprocess((2, 3), "grey", fit="stretch")


def paint(folder: Path, *names: str) -> list[Path]:
    """Pictures whose level tells their place in `names`."""
    paths = [folder / name for name in names]
    for level, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4), level).save(path)
    return paths


def test_a_folder_stands_for_its_pictures_in_order(tmp_path: Path) -> None:
    first, second, third = paint(tmp_path, "cat/10.PNG", "cat/9.jpg", "dog/1.webp")
    paint(tmp_path, "cat/.hidden.png")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    assert find_pictures([tmp_path]) == [first, second, third]
    assert find_pictures([third, tmp_path / "cat", third]) == [third, first, second, third]
    assert find_pictures([]) == []


def test_a_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    assert find_pictures([tmp_path / "absent.xyz"]) == [tmp_path / "absent.xyz"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(PictureError, match=f"{tmp_path}: no picture"):
        find_pictures([tmp_path])


@pytest.mark.parametrize(("size", "counts"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_batches_hold_the_files_in_order(tmp_path: Path, size: int, counts: list[int]) -> None:
    paths = paint(tmp_path, *(f"{i}.png" for i in range(5)))
    parts = list(picture_batches(GREY, paths, size))
    assert [len(files) for files, _ in parts] == counts
    assert [path for files, _ in parts for path in files] == paths
    levels = np.concatenate([x for _, x in parts])
    assert levels.shape == (5, 1, 2, 3) and levels.dtype == np.float32
    assert np.array_equal(levels[:, 0, 1, 2], np.arange(5))


def test_a_damaged_picture_stops_at_its_turn(tmp_path: Path) -> None:
    paths = paint(tmp_path, "0.png", "1.png", "2.png")
    paths[1].write_bytes(paths[1].read_bytes()[:30])
    batches = picture_batches(GREY, paths, 1)
    assert next(batches)[0] == paths[:1]
    with pytest.raises(PictureError, match="1.png"):
        next(batches)
