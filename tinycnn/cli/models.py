"""The networks of the package: the architectures, counted, and the trained ones, measured."""

from dataclasses import asdict

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json
from tinycnn.cli.output import console, emit_json


@main.command()
@click.option("--trained", is_flag=True, help="List those that come with trained weights, with their cards.")
@as_json
def models(trained: bool, json: bool) -> None:
    """List the networks that commands take by name, with their counts; --json adds the published ones."""
    if trained:
        return show_cards(json)
    from tinycnn.models.architectures import catalogue
    from tinycnn.models.counting import count

    found = catalogue().values()
    counts = [count(a.build(seed=None)) for a in found]
    if json:
        return emit_json(
            [
                {"name": a.name, "year": a.year, "paper": a.paper, **asdict(c), "input": a.input, "classes": a.classes,
                 "published": asdict(a.published)}
                for a, c in zip(found, counts, strict=True)
            ]
        )  # fmt: skip
    from rich.table import Table

    table = Table("name", "year", "paper")
    for heading in ("layers", "parameters", "multiply-adds", "input"):
        table.add_column(heading, justify="right")
    for a, c in zip(found, counts, strict=True):
        numbers = (f"{c.layers}", f"{c.parameters:,}", f"{c.macs:,}", "x".join(map(str, a.input)))
        table.add_row(a.name, str(a.year), a.paper, *numbers)
    console().print(table)


def show_cards(json: bool) -> None:
    from tinycnn.models import card, card_names

    cards = [card(name) for name in card_names()]
    if json:
        return emit_json([{**asdict(c), "path": str(c.path), "samples": list(map(str, c.samples))} for c in cards])
    from rich.table import Table

    table = Table("name", "network and data", "measured", "value", "by", show_lines=True)
    for c in cards:
        table.add_row(c.name, f"{c.network}; {c.data}", c.accuracy.metric, f"{c.accuracy.value:g}", c.accuracy.command)
        for row in c.comparisons:
            table.add_row("", "", row.metric, f"{row.value:g}", row.command)
    console().print(table)
