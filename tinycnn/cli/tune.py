"""Which kernels are the fastest here."""

from functools import partial
from typing import TYPE_CHECKING

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json, open_session, parse_shapes, shape_option, threads_option
from tinycnn.cli.output import console, emit_json, progress_of

if TYPE_CHECKING:
    from rich.table import Table

    from tinycnn.tune.network import Tuning


@main.command()
@click.argument("model", type=click.Path())
@shape_option
@click.option("--seconds", type=click.FloatRange(0), default=1.0, show_default=True, help="To spend on each layer.")
@threads_option
@as_json
def tune(model: str, shape: tuple[str, ...], seconds: float, threads: int, json: bool) -> None:
    """Measure the kernels of each layer of MODEL on this CPU, and let sessions use the fastest from now on.

    Choices are kept in a readable file, that of TINYCNN_TUNED or one in the cache folder, for this processor,
    instruction set and version. They hold for every model with such a layer: `inspect` shows where. Algorithms, which
    differ in their rounding, are chosen on one thread for any number; their tiles for one and for --threads, and change
    no bit.

    Measured is each layer by itself, with its weights in memory rather than in a cache where the network's do not fit.
    """
    from tinycnn.kernels.cpu import isa
    from tinycnn.tune import network
    from tinycnn.tune.keep import keep, target_file
    from tinycnn.tune.measure import Stopwatch

    shapes, target = parse_shapes(shape), isa.current()
    path = target_file(target)
    session = open_session(model, threads, shapes, tuned="off")
    keep(path, target, {})  # whether it can be written is known before anything is measured
    with progress_of("measuring layers", quiet=json) as progress:
        stopwatch = Stopwatch(seconds, network.passing_bytes(session))
        told = network.tune(session, shapes, stopwatch, partial(keep, path, target), progress)
    if json:
        return emit_json({**told.as_dict(), "file": str(path)})
    out = console()
    out.print(table(told))
    for line in sums(told):
        out.print(line, markup=False)
    out.print(f"kept in {path}", markup=False, soft_wrap=True)


def table(told: "Tuning") -> "Table":
    from rich.table import Table

    inputs, counts = ", ".join(f"{name}={shape}" for name, shape in told.inputs.items()), sorted({1, told.threads})
    columns = Table(title=f"{told.model}: {inputs}, {told.isa} of {told.processor}", title_justify="left")
    for name in ("layer", "output", "the cost model's choice", "measured best"):
        columns.add_column(name)
    columns.add_column("predicted", justify="right")
    for n in counts:
        columns.add_column(f"ms, {threads_of(n)}", justify="right")
        columns.add_column("gain", justify="right")
    for layer in told.layers:
        one, pairs = layer.pairs[1], [layer.pairs[n] for n in counts]
        changed = one.best != one.model
        columns.add_row(
            layer.name, layer.output, short(one.model), short(one.best) if changed else "the same",
            f"{layer.predicted_ms[one.model]:.3f}",
            *(cell for p in pairs for cell in (f"{p.model_ms:.3f} > {p.best_ms:.3f}", f"{p.gain:.2f}")),
            style="bold" if changed else None,
        )  # fmt: skip
    return columns


def short(choice: str) -> str:
    """Layouts are told where not all are blocked."""
    return choice.removesuffix(": blocked to blocked")


def threads_of(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def sums(told: "Tuning") -> list[str]:
    if not told.layers:
        return ["no layer has a choice"]
    lines = []
    for n in sorted({1, told.threads}):
        total = told.sums(n)
        lines.append(
            f"layers with a choice, {threads_of(n)}: {total.model_ms:.3f} ms as the cost model chooses, "
            f"{total.best_ms:.3f} ms as measured; its choices take {total.model_to_best:.3f} times as long"
        )
    return lines
