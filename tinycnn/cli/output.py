"""What commands print: JSON, tables, progress."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn


def emit_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1))


def console() -> "Console":
    """The terminal; wide where there is none, so that nothing is wrapped in files and pipes."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def bar(quiet: bool, *columns: "ProgressColumn | str") -> "Progress":
    """A progress bar on the terminal, nothing where there is none."""
    from rich.console import Console
    from rich.progress import Progress

    terminal = Console(stderr=True)
    return Progress(*columns, console=terminal, transient=True, disable=quiet or not terminal.is_terminal)


@contextlib.contextmanager
def compile_progress(quiet: bool) -> Iterator[Any]:
    """A callback for `native.prepare` that draws a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

    with bar(quiet, "compiling {task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as progress:
        task = progress.add_task("", total=None)

        def update(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=total)

        yield update


@contextlib.contextmanager
def progress_of(what: str, quiet: bool, in_bytes: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """A callback, told how many of how many are done, that draws a progress bar."""
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TimeRemainingColumn, TransferSpeedColumn

    counts = [DownloadColumn(), TransferSpeedColumn()] if in_bytes else [MofNCompleteColumn()]
    with bar(quiet, "{task.description}", BarColumn(), *counts, TimeRemainingColumn()) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield update


def print_report(actions: Any) -> None:
    from rich.table import Table

    table = Table("node", "operator", "what", "detail", title="conversion report", title_justify="left")
    for action in actions:
        table.add_row(action["node"], action["operator"], action["what"], action["detail"])
    console().print(table)
