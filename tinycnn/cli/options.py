"""Options that several commands take, and what is made of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinycnn.errors import OptionError

if TYPE_CHECKING:
    from tinycnn.ir import Graph
    from tinycnn.session import InferenceSession

Shapes = dict[str, tuple[int, ...]]

as_json = click.option("--json", "json", is_flag=True, help="Print JSON for machines.")
threads_option = click.option("--threads", type=click.IntRange(0), default=0, help="Threads; 0: all granted.")
shape_option = click.option("--shape", multiple=True, metavar="NAME=1x3x224x224", help="Shape of a symbolic input.")
provider_option = click.option(
    "--provider", multiple=True, type=click.Choice(["cpu", "cuda"]), help="Where to run, in order of preference."
)
dropout_option = click.option("--dropout", type=click.Choice(["identity", "scale"]), default="identity")


def parse_shapes(items: tuple[str, ...]) -> Shapes:
    shapes = {}
    for item in items:
        name, _, text = item.rpartition("=")
        try:
            shapes[name] = tuple(int(d) for d in text.split("x"))
        except ValueError:
            raise click.BadParameter(f"{item!r} is not NAME=1x3x224x224") from None
        if not name or min(shapes[name]) < 1:
            raise click.BadParameter(f"{item!r} is not NAME=1x3x224x224")
    return shapes


def source(model: str, shapes: Shapes | None = None, dropout: str = "identity") -> "str | Graph":
    """The file or the network that a command's argument means, as stderr tells where it is no path. An architecture is
    built for the size of "image" in `shapes`.
    """
    from tinycnn.models.names import TRAINED, named, trained_as

    found = named(model)
    if isinstance(found, Path):
        if found != Path(model):
            click.echo(f"{model}: {found}", err=True)
        return str(found)
    name = trained_as(found)
    trained = f"; {TRAINED}{name} has trained ones" if name else ""
    if dropout != "identity":
        raise OptionError(f"--dropout {dropout}: {found.name} by its name has no trained weights to scale{trained}")
    size = (shapes or {}).get("image", ())[2:]
    graph = found.build(input_size=(size[0], size[1]) if len(size) == 2 else None)
    click.echo(f"{found.name} by its name: weights drawn at random, seed 0{trained}", err=True)
    return graph


def open_session(
    model: str, threads: int = 0, shapes: Shapes | None = None, providers: Sequence[str] = (), **options: Any
) -> "InferenceSession":
    """providers: "cpu" and "cuda", in order of preference; none: the processor."""
    from tinycnn.session import InferenceSession, SessionOptions

    found = source(model, shapes, options.get("dropout", "identity"))
    named = [f"{provider.upper()}ExecutionProvider" for provider in providers]
    return InferenceSession(found, SessionOptions(intra_op_num_threads=threads, **options), named or None)
