"""The picture of a profile, and what is said where it cannot be drawn."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.planner.programs import convolutions
from tests.profile.profiled import nothing, profiled
from tests.runtime.sessions import in_python
from tinycnn.errors import MissingPackageError, OptionError
from tinycnn.ir import Graph
from tinycnn.profile.plot import check_plot, draw, write_plot

BEGINNINGS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", BEGINNINGS)
def test_a_picture_of_each_format(suffix: str) -> None:
    pytest.importorskip("matplotlib")
    file = io.BytesIO()
    write_plot(file, suffix.upper(), profiled(convolutions())[0])
    assert file.getvalue().startswith(BEGINNINGS[suffix])


def test_a_bar_for_each_layer_that_takes_time_and_a_point_for_each_of_multiply_adds() -> None:
    pytest.importorskip("matplotlib")
    told, _ = profiled(convolutions())
    bars, roof = draw(told).axes
    assert [label.get_text() for label in bars.get_yticklabels()] == [layer.name for layer in told.layers if layer.ms]
    [points] = roof.collections
    drawn = points.get_offsets().tolist()
    wanted = [[2 * layer.executed_macs / layer.nbytes, layer.executed_gflops] for layer in told.layers if layer.macs]
    assert drawn == [pytest.approx(point) for point in wanted] and len(drawn) == 3


@pytest.mark.parametrize("make", [in_python, nothing], ids=lambda f: f.__name__)
def test_networks_without_a_multiply_add(make: Callable[[], Graph]) -> None:
    pytest.importorskip("matplotlib")
    file = io.BytesIO()
    write_plot(file, ".png", profiled(make())[0])
    assert file.getvalue().startswith(BEGINNINGS[".png"])


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"tinycnn\[bench\]"):
        check_plot(Path("p.png"))


def test_a_file_that_is_no_picture() -> None:
    with pytest.raises(OptionError, match=r"p\.gif.*\.png"):
        check_plot(Path("p.gif"))
