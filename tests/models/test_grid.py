"""Numbers as colours, and tiles in a grid."""

import numpy as np
import pytest

from tinycnn.models.grid import (
    GAP,
    GROUND,
    HEAT,
    SIGNS,
    TILE,
    Tile,
    draw_grid,
    filter_tile,
    good_columns,
    map_tile,
    number,
)


def test_a_map_runs_from_black_to_its_greatest_number() -> None:
    tile = map_tile(np.array([[0.0, 1.0], [2.0, 4.0]]), "7")
    assert (tile.label, tile.note) == ("7", "4")
    assert np.array_equal(tile.pixels[0, 0], HEAT[0]) and np.array_equal(tile.pixels[1, 1], HEAT[-1])
    assert np.all(np.diff(tile.pixels.astype(int).sum(axis=2).ravel()) > 0)


def test_signs_have_colours_of_their_own_and_one_scale() -> None:
    tile = map_tile(np.array([[-2.0, 0.0], [1.0, 2.0]]), "")
    assert [tuple(p) for p in tile.pixels.reshape(4, 3)] == [tuple(SIGNS[i]) for i in (0, 2, 3, 4)]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_dead_map_is_black(value: float) -> None:
    tile = map_tile(np.full((3, 2), value), "")
    assert tile.pixels.shape == (3, 2, 3) and tile.note == "0"
    assert tile.pixels.max() <= HEAT[0].max()


def test_a_filter_in_colour_is_grey_at_zero() -> None:
    weights = np.zeros((3, 1, 2))
    weights[0, 0, 0], weights[2, 0, 0] = 0.5, -0.5
    tile = filter_tile(weights, "0")
    assert tile.pixels.tolist() == [[[255, 128, 0], [128, 128, 128]]]
    assert tile.note == "0.5"
    assert np.array_equal(filter_tile(weights[:1], "").pixels, map_tile(weights[0], "").pixels)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.012345, "0.0123"), (4.714, "4.71"), (386.2, "386"), (2020.0, "2,020"), (3e6, "3e+06")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (6, 6), (8, 8), (16, 4), (32, 8), (64, 8), (96, 12), (13, 4)])
def test_rows_are_full_where_they_can_be(count: int, columns: int) -> None:
    assert good_columns(count) == columns


def test_tiles_stand_in_rows_with_texts_below() -> None:
    tiles = [Tile(np.full((3, 2, 3), 10 * i, np.uint8), str(i), "note") for i in range(5)]
    picture = np.asarray(draw_grid(tiles, ["title"], columns=2))
    height, width = TILE, TILE // 3 * 2
    tops = [y for y in range(len(picture)) if tuple(picture[y, GAP]) != GROUND and tuple(picture[y - 1, GAP]) == GROUND]
    rows = [top for top in tops if np.all(picture[top : top + height, GAP : GAP + width] == picture[top, GAP])]
    assert len(rows) == 3
    for i in range(5):
        top, left = rows[i // 2], GAP + i % 2 * (width + GAP)
        assert np.all(picture[top : top + height, left : left + width] == 10 * i)
        assert np.any(picture[top + height : top + height + 14, left : left + width] != GROUND)
    assert np.all(picture[rows[2] : rows[2] + height, 2 * GAP + width :] == GROUND)


def test_the_title_is_never_cut() -> None:
    tile = Tile(np.zeros((4, 4, 3), np.uint8), "0")
    narrow, wide = (draw_grid([tile], ["x" * n]) for n in (1, 100))
    assert narrow.width >= TILE and wide.width > 4 * TILE
    assert np.all(np.asarray(wide)[:, -GAP:] == GROUND)
    beside = draw_grid([tile], ["x" * 100], first=np.full((9, 9, 3), 200, np.uint8))
    assert beside.width > wide.width
    assert np.all(np.asarray(beside)[GAP : GAP + TILE, GAP : GAP + TILE] == 200)
