"""Tables and plots of what the benchmarks wrote.

    python bench/report.py results

Reads every .json file of the folder, prints the tables, and writes them with the plots beside the files.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from rich.console import Console
from rich.table import Table

Records = list[dict[str, Any]]


def load(folder: Path) -> tuple[dict[str, Any], Records]:
    """The machine of the newest file, and the records of all."""
    documents = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    if not documents:
        raise SystemExit(f"{folder}: no .json file; see bench/README.md")
    newest = max(documents, key=lambda document: document["datetime"])
    return newest["machine_info"], [b["extra_info"] for document in documents for b in document["benchmarks"]]


def geometric_mean(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(values)))))


def models_table(records: Records) -> Table:
    table = Table("model", "batch", "threads", "tinycnn ms", "onnxruntime ms", "speed-up", "error", title="models")
    for r in sorted(records, key=lambda r: (r["threads"], r["batch"], r["model"])):
        table.add_row(
            r["model"], str(r["batch"]), str(r["threads"]), f"{r['tinycnn_ms']:.3f}", f"{r['onnxruntime_ms']:.3f}",
            f"{r['speedup']:.2f}", f"{r['error']:.0e}",
        )  # fmt: skip
    for threads in sorted({r["threads"] for r in records}):
        mean = geometric_mean(r["speedup"] for r in records if r["threads"] == threads)
        table.add_row("geometric mean", "", str(threads), "", "", f"{mean:.2f}", "", style="bold")
    return table


def kernels_table(records: Records) -> Table:
    table = Table("layer", "algorithm", "GFLOP/s", "of peak", "predicted / measured", "", title="convolutions")
    for r in sorted(records, key=lambda r: (r["shape"], -r["gflops"])):
        ratio = r["predicted_s"] / r["median_s"]
        chosen = "chosen" if r["chosen"] else ""
        table.add_row(
            r["shape"], r["algorithm"], f"{r['gflops']:.1f}", f"{r['peak_share']:.0%}", f"{ratio:.2f}", chosen
        )
    return table


def plot_models(records: Records, path: Path) -> None:
    """One bar a model and number of threads; onnxruntime is the line at 1."""
    names = sorted({r["model"] for r in records})
    threads = sorted({r["threads"] for r in records})
    figure, axes = plt.subplots(figsize=(0.5 * len(names) + 3, 4), layout="constrained")
    for i, count in enumerate(threads):
        bars = {r["model"]: r["speedup"] for r in records if r["threads"] == count}
        at = np.arange(len(names)) + (i - (len(threads) - 1) / 2) * 0.8 / len(threads)
        axes.bar(at, [bars.get(name, np.nan) for name in names], 0.8 / len(threads), label=f"{count} thread(s)")
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_ylabel("speed-up over onnxruntime")
    axes.legend()
    figure.savefig(path)


def plot_kernels(records: Records, path: Path) -> None:
    """Share of the peak over the layers, a mark for each algorithm."""
    layers = sorted({r["shape"] for r in records})
    figure, axes = plt.subplots(figsize=(0.22 * len(layers) + 3, 5), layout="constrained")
    for algorithm in sorted({r["algorithm"] for r in records}):
        points = [(layers.index(r["shape"]), r["peak_share"]) for r in records if r["algorithm"] == algorithm]
        axes.scatter(*zip(*points, strict=True), s=18, label=algorithm)
    axes.set_xticks(range(len(layers)), layers, rotation=90, fontsize=6)
    axes.set_ylabel("GFLOP/s of a direct convolution, share of the peak")
    axes.legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    machine, records = load(folder)
    console = Console(record=True, width=140)
    console.print(f"{machine['cpu'].get('brand_raw', machine['processor'])}, Python {machine['python_version']}")
    for key, table, plot in (("speedup", models_table, plot_models), ("gflops", kernels_table, plot_kernels)):
        found = [r for r in records if key in r]
        if found:
            console.print(table(found))
            plot(found, folder / f"{'models' if key == 'speedup' else 'kernels'}.svg")
    console.save_text(str(folder / "report.txt"))


if __name__ == "__main__":
    main()
