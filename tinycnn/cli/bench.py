"""tinycnn against onnxruntime."""

from dataclasses import asdict

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json, parse_shapes, shape_option, source
from tinycnn.cli.output import console, emit_json


@main.command()
@click.argument("model", type=click.Path())
@click.option("--seconds", type=float, default=2.0, show_default=True)
@shape_option
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@as_json
def bench(model: str, seconds: float, shape: tuple[str, ...], threads: int, json: bool) -> None:
    """Compare with onnxruntime: same inputs, same threads, in turn."""
    from tinycnn.benchmark import compare

    shapes = parse_shapes(shape)
    c = compare(source(model, shapes), threads, seconds, shapes)
    if json:
        return emit_json(asdict(c))
    from rich.table import Table

    table = Table(
        "engine", "median ms", "P90 ms", title=f"{model}, {threads} thread(s), {c.runs} runs each", title_justify="left"
    )
    table.add_row("tinycnn", f"{c.tinycnn_ms:.3f}", f"{c.tinycnn_p90_ms:.3f}")
    table.add_row("onnxruntime", f"{c.onnxruntime_ms:.3f}", f"{c.onnxruntime_p90_ms:.3f}")
    out = console()
    out.print(table)
    out.print(f"speed-up {c.speedup:.2f}, error {c.error:.1e}")
