"""What commands print: JSON, tables, progress."""

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console


def emit_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1))


def console() -> "Console":
    """The terminal; wide where there is none, so that nothing is wrapped in files and pipes."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


@contextlib.contextmanager
def compile_progress(quiet: bool) -> Iterator[Any]:
    """A callback for `native.prepare` that draws a progress bar on the terminal, nothing where there is none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("compiling {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=None)

        def update(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total)

        yield update


def print_report(actions: Any) -> None:
    from rich.table import Table

    table = Table("node", "operator", "what", "detail", title="conversion report", title_justify="left")
    for action in actions:
        table.add_row(action["node"], action["operator"], action["what"], action["detail"])
    console().print(table)
