"""The environment variables."""

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json
from tinycnn.cli.output import emit_json


@main.command()
@as_json
def knobs(json: bool) -> None:
    """List the environment variables that tinycnn reads."""
    from tinycnn.knobs import KNOBS

    rows = [{"name": k.name, "value": k.get(), "default": k.default, "meaning": k.meaning} for k in KNOBS]
    if json:
        return emit_json(rows)
    for row in rows:
        click.echo(f"{row['name']}={row['value']}  {row['meaning']}")
