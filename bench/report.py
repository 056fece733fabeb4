"""Table and plot of what bench_kernels.py wrote.

    python bench/report.py results

Reads every .json file of the folder, prints the table, and writes it with the plot beside the files.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
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


def kernels_table(records: Records) -> Table:
    table = Table("layer", "algorithm", "GFLOP/s", "of peak", "predicted / measured", "", title="convolutions")
    for r in sorted(records, key=lambda r: (r["shape"], -r["gflops"])):
        ratio = r["predicted_s"] / r["median_s"]
        chosen = "chosen" if r["chosen"] else ""
        table.add_row(
            r["shape"], r["algorithm"], f"{r['gflops']:.1f}", f"{r['peak_share']:.0%}", f"{ratio:.2f}", chosen
        )
    return table


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
    console.print(kernels_table(records))
    plot_kernels(records, folder / "kernels.svg")
    console.save_text(str(folder / "report.txt"))


if __name__ == "__main__":
    main()
