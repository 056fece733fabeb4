"""A profile as a picture: a bar for each layer, and the layers under the machine's roofline.

Source: Williams, Waterman and Patterson 2009, CACM 52(4).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from tinycnn.errors import MissingPackageError, OptionError
from tinycnn.profile.layers import LayerProfile
from tinycnn.profile.measure import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
PYTHON = "Python"

Colours = Mapping[str, tuple[float, ...]]


def check_plot(path: Path) -> None:
    """Raises OptionError for a suffix that is no picture's, MissingPackageError where matplotlib is not installed."""
    if path.suffix.lower() not in FORMATS:
        raise OptionError(f"{path}: a plot is written to a file that ends in {', '.join(FORMATS)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingPackageError("a plot needs matplotlib: pip install 'tinycnn[bench]'") from None


def kind(layer: LayerProfile) -> str:
    """What a colour stands for."""
    return layer.algorithm if layer.native else PYTHON


def draw(profile: Profile) -> "Figure":
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    layers = [layer for layer in profile.layers if layer.ms > 0]
    kinds = list(dict.fromkeys(kind(layer) for layer in layers))
    colours = {name: colormaps["tab20"](i % 20) for i, name in enumerate(kinds)}
    height = max(6.0, 0.16 * len(layers) + 1.5)
    figure = Figure(figsize=(16, height), layout="constrained")
    bars, roof = figure.subplots(1, 2)
    draw_bars(bars, layers, colours)
    draw_roofline(roof, profile, colours)
    threads = f"{profile.threads} thread{'s' if profile.threads > 1 else ''}"
    figure.suptitle(f"{profile.model}: {profile.median_ms:.3g} ms, {threads}, {profile.target}")
    return figure


def draw_bars(axes: "Axes", layers: list[LayerProfile], colours: Colours) -> None:
    at = np.arange(len(layers))
    axes.barh(at, [layer.ms for layer in layers], color=[colours[kind(layer)] for layer in layers])
    axes.set_yticks(at, [layer.name for layer in layers], fontsize=6)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlabel("ms, median")
    for name, colour in colours.items():
        axes.barh(0, 0, color=colour, label=name)
    if colours:
        axes.legend(fontsize=7)


def draw_roofline(axes: "Axes", profile: Profile, colours: Colours) -> None:
    """Only layers of multiply-adds have a place here; a point is as large as the layer's share of the time."""
    machine = profile.machine
    shown = [layer for layer in profile.layers if layer.executed_macs and layer.nbytes and layer.ms > 0]
    intensity = [2 * layer.executed_macs / layer.nbytes for layer in shown]
    ridge = machine.gflops / machine.read_gbs
    x = np.geomspace(min([*intensity, ridge]) / 2, max([*intensity, ridge]) * 2, 200)
    axes.loglog(x, np.minimum(machine.gflops, machine.read_gbs * x), color="black", linewidth=1)
    sizes = [20 + 600 * layer.share for layer in shown]
    rates = [layer.executed_gflops for layer in shown]
    axes.scatter(intensity, rates, sizes, [colours[kind(layer)] for layer in shown], alpha=0.7)
    axes.set_xlabel("FLOPs that the algorithm does, for each byte of inputs, weights and output")
    axes.set_ylabel("GFLOP/s that the algorithm does")
    axes.set_title(f"roof: {machine.gflops:.0f} GFLOP/s, {machine.read_gbs:.1f} GB/s from memory, measured", fontsize=9)
    axes.grid(which="both", alpha=0.2)


def write_plot(file: BinaryIO, suffix: str, profile: Profile) -> None:
    draw(profile).savefig(file, format=suffix.lower().removeprefix("."), dpi=120)
