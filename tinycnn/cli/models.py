"""The networks of the package, counted."""

from dataclasses import asdict

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json
from tinycnn.cli.output import console, emit_json


@main.command()
@as_json
def models(json: bool) -> None:
    """List the networks that commands take by name, with their counts; --json adds the published ones."""
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
