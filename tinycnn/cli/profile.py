"""Where the time of a network goes."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import (
    as_json,
    dropout_option,
    open_session,
    parse_shapes,
    provider_option,
    shape_option,
    threads_option,
)
from tinycnn.cli.output import console, emit_json, progress_of

if TYPE_CHECKING:
    from rich.table import Table

    from tinycnn.profile.layers import LayerProfile
    from tinycnn.profile.measure import Profile


@main.command()
@click.argument("model", type=click.Path())
@shape_option
@click.option("--runs", type=click.IntRange(1), default=50, show_default=True, help="Runs of which medians are told.")
@click.option("--algorithm", help="Run all convolutions by this algorithm where it applies.")
@click.option("--trace", type=click.Path(), metavar="FILE.json", help="Write a run for chrome://tracing or Perfetto.")
@click.option("--plot", type=click.Path(), metavar="FILE.png", help="Draw layers and roofline; needs matplotlib.")
@dropout_option
@provider_option
@threads_option
@as_json
def profile(
    model: str, shape: tuple[str, ...], runs: int, algorithm: str | None, trace: str | None, plot: str | None,
    dropout: str, provider: tuple[str, ...], threads: int, json: bool,
) -> None:  # fmt: skip
    """Time every layer of MODEL on the CPU, against what this machine can do at most.

    GFLOP/s counts two for each multiply-add of the operator's definition, "real" those that the algorithm does:
    Winograd does fewer, a tile that reaches over the output more. MB are inputs, packed weights and output; more than
    100 % of memory comes from caches. "idle" is the share of time in which threads wait for one another.

    Where the medians of the layers make much less than runs spend in layers, the machine was busy with something else.
    """
    from tinycnn.feeds import whole_file
    from tinycnn.profile import measure
    from tinycnn.profile.plot import check_plot, write_plot
    from tinycnn.profile.trace import write_trace

    shapes = parse_shapes(shape)
    with ExitStack() as stack:
        if plot:
            check_plot(Path(plot))
        trace_file = stack.enter_context(whole_file(Path(trace))) if trace else None
        plot_file = stack.enter_context(whole_file(Path(plot))) if plot else None
        progress = stack.enter_context(progress_of("running", quiet=json))
        told, run = measure.profile(
            lambda: open_session(model, threads, shapes, provider, conv_algorithm=algorithm, dropout=dropout),
            shapes,
            runs,
            progress,
        )
        if trace_file:
            write_trace(trace_file, told, run)
        if plot_file:
            write_plot(plot_file, Path(str(plot)).suffix, told)
    if json:
        return emit_json(told.as_dict())
    out = console()
    out.print(table(told))
    for line in sums(told):
        out.print(line, markup=False)


def table(told: "Profile") -> "Table":
    from rich.table import Table

    inputs = ", ".join(f"{name}={shape}" for name, shape in told.inputs.items())
    columns = Table(title=f"{told.model}: {inputs}, {told.threads} thread(s), {told.target}", title_justify="left")
    columns.add_column("layer")
    for name in ("ms", "share", "idle", "GFLOP/s", "real", "of peak", "MB", "of memory"):
        columns.add_column(name, justify="right")
    columns.add_column("algorithm")
    columns.add_column("why", min_width=40)
    for layer in told.layers:
        columns.add_row(
            layer.name, *numbers(layer), layer.algorithm, layer.reason,
            style=None if layer.native else "yellow",
        )  # fmt: skip
    return columns


def numbers(layer: "LayerProfile") -> list[str]:
    """Empty where there is nothing to tell: of a view, or of multiply-adds where there are none."""
    if not layer.ms:
        return [""] * 8
    rates = (
        [f"{layer.gflops:.1f}", f"{layer.executed_gflops:.1f}", f"{layer.peak_share:.0%}"] if layer.macs else [""] * 3
    )
    moved = [f"{layer.nbytes / 1e6:.2f}", f"{layer.bandwidth_share:.0%}"] if layer.nbytes else [""] * 2
    return [f"{layer.ms:.3f}", f"{layer.share:.1%}", f"{layer.idle:.0%}", *rates, *moved]


def sums(told: "Profile") -> list[str]:
    stages = ", ".join(f"{name} {ms:.1f}" for name, ms in told.stages.items())
    kernels, machine = told.kernels, told.machine
    return [
        f"opened in {told.open_ms:.1f} ms: {stages}; {kernels['linked']} kernels linked, {kernels['compiled']} of them "
        f"compiled: the cache was {told.cache}",
        f"first run {told.first_run_ms:.3f} ms; then median {told.median_ms:.3f}, P90 {told.p90_ms:.3f}, "
        f"P99 {told.p99_ms:.3f} ms of {told.runs} runs",
        f"runs with timed layers: median {told.noted_ms:.3f} ms, {told.in_layers_ms:.3f} of it in layers; the medians "
        f"of the layers make {told.layers_ms:.3f}",
        f"this machine: {machine.core_gflops:.1f} GFLOP/s a core, {machine.gflops:.1f} of {machine.threads} thread(s), "
        f"{machine.read_gbs:.1f} GB/s read from memory",
    ]
