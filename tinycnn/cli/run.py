"""A model, run once."""

from pathlib import Path

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json, dropout_option, open_session, provider_option, threads_option
from tinycnn.cli.output import console, emit_json


@main.command()
@click.argument("model", type=click.Path())
@click.option("--input", "inputs", multiple=True, metavar="NAME=FILE.npy", help="A feed; random where not given.")
@click.option(
    "--output", "outputs", multiple=True, metavar="NAME", help="Any value of the model; default: its outputs."
)
@click.option("--save", type=click.Path(), metavar="FILE.npz", help="Write the results.")
@dropout_option
@provider_option
@threads_option
@as_json
def run(
    model: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    save: str | None,
    dropout: str,
    provider: tuple[str, ...],
    threads: int,
    json: bool,
) -> None:
    """Run an ONNX model once."""
    from tinycnn.benchmark import random_feeds
    from tinycnn.feeds import load_feeds, save_results, statistics

    session = open_session(model, threads, providers=provider, dropout=dropout)
    given = load_feeds(inputs)
    feeds = {**random_feeds(session, {n: a.shape for n, a in given.items()}), **given}
    names = list(outputs) or [o.name for o in session.get_outputs()]
    results = dict(zip(names, session.run(names, feeds), strict=True))
    if save:
        save_results(Path(save), results)
    rows = {name: statistics(y) for name, y in results.items()}
    if json:
        return emit_json(rows)
    from rich.table import Table

    random = [name for name in feeds if name not in given]
    table = Table(
        "output",
        "dtype",
        "shape",
        "min",
        "mean",
        "max",
        caption=f"random inputs: {', '.join(random)}" if random else None,
    )
    for name, s in rows.items():
        table.add_row(
            name, s["dtype"], "x".join(map(str, s["shape"])), *(f"{s[k]:.6g}" for k in ("min", "mean", "max"))
        )
    console().print(table)
