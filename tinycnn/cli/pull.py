"""Networks of the ONNX model zoo, downloaded."""

from typing import TYPE_CHECKING, Any

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json
from tinycnn.cli.output import console, emit_json, progress_of

if TYPE_CHECKING:
    from tinycnn.models.zoo.pull import Pulled


@main.command()
@click.argument("names", nargs=-1)
@click.option("--list", "shows", is_flag=True, help="Show the networks that can be pulled, and those that are here.")
@as_json
def pull(names: tuple[str, ...], shows: bool, json: bool) -> None:
    """Download networks of the ONNX model zoo, by their NAMES. No other command opens a connection."""
    if shows:
        return show_networks(json)
    if not names:
        raise click.UsageError("name a network; --list shows those that exist")
    from tinycnn.models import zoo
    from tinycnn.models.zoo.pull import pull

    results = []
    for entry in [zoo.entry(name) for name in names]:
        with progress_of(f"pulling {entry.name}", json, in_bytes=True) as update:
            results.append(pull(entry, progress=update))
        if not json:
            click.echo(told(results[-1]))
    if json:
        emit_json([vars(result) | {"path": str(result.path)} for result in results])


def told(result: "Pulled") -> str:
    states = {"pulled": "pulled to", "there already": "there already,", "found": "found:"}
    return (
        f"{result.name}: {states[result.state]} {result.path}, {result.path.stat().st_size:,} bytes, "
        f"SHA-256 {result.sha256}, {trust(result)}"
    )


def trust(result: "Pulled") -> str:
    if result.known:
        return "as the registry has it"
    if result.state == "found":
        return "which the registry does not have: taken as it is"
    return "published nowhere: " + ("pinned now, later downloads must match" if result.pinned else "as it was pinned")


def show_networks(json: bool) -> None:
    from tinycnn.models import zoo

    rows = [describe(zoo.entry(name)) for name in zoo.names()]
    if json:
        return emit_json(rows)
    from rich.table import Table

    table = Table("name", "network", "MB", "licence", "top-1", "top-5", "here")
    for row in rows:
        megabytes = f"{row['bytes'] / 1e6:.1f}" if row["bytes"] else "?"
        accuracies = [f"{row[key]:.1%}" if row[key] else "" for key in ("top1", "top5")]
        table.add_row(row["name"], row["network"], megabytes, row["licence"], *accuracies, "yes" if row["path"] else "")
    console().print(table)


def describe(entry: Any) -> dict[str, Any]:
    file, here = entry.files[0], entry.find()
    return {
        "name": entry.name,
        "network": entry.network,
        "licence": entry.licence,
        "input": file.input,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "top1": entry.top1,
        "top5": entry.top5,
        "source": entry.source,
        "path": str(here[1]) if here else None,
    }
