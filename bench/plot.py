"""A plot of a comparison."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from bench.engines import LOADERS, REFERENCE
from bench.results import Record
from bench.table import groups, median


def plot(records: Sequence[Record], path: Path) -> None:
    """A panel for each number of threads and batch, a bar for each network and engine; onnxruntime is the line at 1."""
    found = groups(records)
    engines = [name for name in LOADERS if name != REFERENCE and any(median(r, name) for r in records)]
    width = 0.8 / max(1, len(engines))
    names = sorted({r["model"] for r in records})
    size = (0.5 * len(names) + 3, 2.5 * len(found) + 1)
    figure, panels = plt.subplots(len(found), 1, figsize=size, sharex=True, squeeze=False, layout="constrained")
    for axes, (title, group) in zip(panels[:, 0], found, strict=True):
        by_name = {r["model"]: r for r in group}
        for i, engine in enumerate(engines):
            speeds = [relative(by_name[name], engine) if name in by_name else np.nan for name in names]
            axes.bar(np.arange(len(names)) + (i - (len(engines) - 1) / 2) * width, speeds, width, label=engine)
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_title(title)
        axes.set_ylabel(f"speed, {REFERENCE} = 1")
    if engines:
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(engines))
    panels[-1, 0].set_xticks(range(len(names)), names, rotation=60, ha="right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def relative(record: Record, engine: str) -> float:
    """How many times as fast as onnxruntime; not a number where either was not measured."""
    mine, other = median(record, engine), median(record, REFERENCE)
    return other / mine if mine and other else np.nan
