"""What will run, layer by layer."""

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
from tinycnn.cli.output import console, emit_json, print_report


@main.command()
@click.argument("model", type=click.Path())
@shape_option
@click.option("--algorithm", help="Run all convolutions by this algorithm where it applies.")
@click.option("--report", is_flag=True, help="Also tell what was folded, fused, scaled and left.")
@dropout_option
@provider_option
@threads_option
@as_json
def inspect(
    model: str, shape: tuple[str, ...], algorithm: str | None, report: bool, dropout: str, provider: tuple[str, ...],
    threads: int, json: bool,
) -> None:  # fmt: skip
    """Show layers, shapes, parameters, multiply-adds, the algorithm of each and why."""
    from tinycnn.summary import summarise

    shapes = parse_shapes(shape)
    session = open_session(model, threads, shapes, provider, conv_algorithm=algorithm, dropout=dropout)
    summary = summarise(session, shapes)
    if json:
        return emit_json(summary.as_dict())
    from rich.table import Table

    table = Table(
        "layer",
        "operator",
        "output",
        "parameters",
        "MACs",
        "algorithm",
        "why",
        title=summary.model,
        title_justify="left",
    )
    for layer in summary.layers:
        style = None if layer.native else "yellow"
        table.add_row(
            layer.name, layer.operator, layer.output, f"{layer.parameters:,}", f"{layer.macs:,}", layer.algorithm,
            layer.reason, style=style,
        )  # fmt: skip
    out = console()
    out.print(table)
    out.print(
        f"{summary.parameters:,} parameters, {summary.macs:,} multiply-adds; arena {summary.arena_bytes:,} bytes, "
        f"packed weights {summary.weight_bytes:,} bytes; {summary.native_stretches} native stretch(es), "
        f"{summary.target}, {summary.threads} thread(s); inputs {summary.inputs}, outputs {summary.outputs}",
        markup=False,
    )  # fmt: skip
    if report:
        print_report(summary.report)
