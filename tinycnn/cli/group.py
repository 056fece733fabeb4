"""The command itself, and how every command of it meets an error."""

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from tinycnn import __version__
from tinycnn.cli.output import emit_json
from tinycnn.errors import TinyCnnError, TinyCnnWarning, UnsupportedModelError


class Command(click.Command):
    """Every error that we raise on purpose becomes one message and exit status 2; with --json an object as well. Our
    warnings become a message each."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = partial(show_warning, warnings.showwarning)
                return super().invoke(ctx)
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")
            raise SystemExit(0) from None
        except (TinyCnnError, OSError) as error:
            message = str(error)
            if isinstance(error, OSError) and error.filename:
                message = f"{error.filename}: {error.strerror}"
            if ctx.params.get("json"):
                problems = [asdict(p) for p in error.problems] if isinstance(error, UnsupportedModelError) else []
                emit_json({"error": type(error).__name__, "message": message, "problems": problems})
            click.echo(f"tinycnn: error: {message}", err=True)
            raise SystemExit(2) from None


def show_warning(
    show: Callable[..., None], message: Warning | str, category: type[Warning], *where: Any, **more: Any
) -> None:
    if issubclass(category, TinyCnnWarning):
        click.echo(f"tinycnn: warning: {message}", err=True)
    else:
        show(message, category, *where, **more)


class Commands(click.Group):
    command_class = Command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """An embedded inference engine for convolutional networks."""
    # A damaged picture is one error of ours, or none: not a warning of the library that reads it.
    warnings.filterwarnings("ignore", module=r"PIL\.")
