"""Table and plot of what networks.py wrote.

    python bench/cuda/report.py results.jsonl [--peak f32=66.9 tf32=494.7 bf16=989.4]

Prints the table as Markdown and writes the plot beside the file, as .svg. The share of the peak is that of the
multiply-adds of the network as it is written, two operations each: where Winograd needs fewer, it may exceed 100 %.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

Rows = list[dict[str, Any]]
PEAKS = {"f32": 66.9, "tf32": 494.7, "bf16": 989.4, "f16": 989.4}
"""TFLOP/s of an H100 or H200 (SXM), without sparsity. Source: NVIDIA H100 Tensor Core GPU Architecture, table 2."""


def table(rows: Rows, peaks: dict[str, float]) -> list[str]:
    lines = [
        "| network | precision | batch | tinycnn ms | PyTorch ms | speed-up | images/s | share of the peak |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        each = r["tinycnn_ms"] * 1e-3 / r["batch"]
        share = 2 * r["macs"] / each / (peaks[r["precision"]] * 1e12)
        cells = (
            r["network"], r["precision"], r["batch"], f"{r['tinycnn_ms']:.3f}", f"{r['torch_ms']:.3f}",
            f"{r['speedup']:.2f}", f"{1 / each:,.0f}", f"{share:.0%}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def plot(rows: Rows, path: Path) -> None:
    """A panel for each precision, a bar for each network and batch; PyTorch is the line at 1."""
    precisions = list(dict.fromkeys(r["precision"] for r in rows))
    names = list(dict.fromkeys(r["network"] for r in rows))
    batches = sorted({r["batch"] for r in rows})
    figure, panels = plt.subplots(1, len(precisions), figsize=(4 * len(precisions), 4), sharey=True, squeeze=False)
    for axes, precision in zip(panels[0], precisions, strict=True):
        for i, batch in enumerate(batches):
            bars = {r["network"]: r["speedup"] for r in rows if (r["precision"], r["batch"]) == (precision, batch)}
            at = np.arange(len(names)) + (i - (len(batches) - 1) / 2) * 0.8 / len(batches)
            axes.bar(at, [bars.get(name, np.nan) for name in names], 0.8 / len(batches), label=f"batch {batch}")
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
        axes.set_title(precision)
    panels[0][0].set_ylabel("speed-up over PyTorch")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--peak", nargs="+", default=[], metavar="PRECISION=TFLOP/s", help="of another device")
    arguments = parser.parse_args()
    peaks = PEAKS | {name: float(value) for name, value in (peak.split("=") for peak in arguments.peak)}
    rows = [json.loads(line) for line in arguments.results.read_text("utf-8").splitlines()]
    print(", ".join(dict.fromkeys(r["device"] for r in rows)), end="\n\n")
    print("\n".join(table(rows, peaks)))
    plot(rows, arguments.results.with_suffix(".svg"))


if __name__ == "__main__":
    main()
