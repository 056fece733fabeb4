"""The command line: parsing and printing, no logic."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinycnn import __version__
from tinycnn.errors import OptionError, TinyCnnError, UnsupportedModelError

if TYPE_CHECKING:
    from rich.console import Console

    from tinycnn.session import InferenceSession

DEFAULT_MODEL = "lenet5"

Shapes = dict[str, tuple[int, ...]]


class Command(click.Command):
    """Every error that we raise on purpose becomes one message and exit status 2; with --json an object as well."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
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


class Commands(click.Group):
    command_class = Command


def emit_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1))


def console() -> "Console":
    """The terminal; wide where there is none, so that nothing is wrapped in files and pipes."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


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


def open_session(model: str, threads: int = 0, **options: Any) -> "InferenceSession":
    from tinycnn.session import InferenceSession, SessionOptions

    return InferenceSession(model, SessionOptions(intra_op_num_threads=threads, **options))


as_json = click.option("--json", "json", is_flag=True, help="Print JSON for machines.")
threads_option = click.option("--threads", type=click.IntRange(0), default=0, help="Threads; 0: all granted.")
shape_option = click.option("--shape", multiple=True, metavar="NAME=1x3x224x224", help="Shape of a symbolic input.")
dropout_option = click.option("--dropout", type=click.Choice(["identity", "scale"]), default="identity")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """An embedded inference engine for convolutional networks."""


@main.command()
@click.argument("pictures", nargs=-1, type=click.Path())
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A network of the package, or an ONNX file.")
@click.option("--labels", type=click.Path(), help="Class names, one a line.")
@click.option("--preset", help="Preprocessing of an ONNX file without a card: imagenet, caffe, unit or raw.")
@click.option("--top", type=click.IntRange(1), help="Answers a picture; default: 5 for one picture, 1 for several.")
@threads_option
@as_json
def classify(
    pictures: tuple[str, ...],
    model: str,
    labels: str | None,
    preset: str | None,
    top: int | None,
    threads: int,
    json: bool,
) -> None:
    """Say what is on PICTURES; without any, on the digits that come with the package."""
    from tinycnn.classify import Classifier
    from tinycnn.models import sample_pictures

    if not pictures and model != DEFAULT_MODEL:
        raise click.UsageError(f"the package's pictures are digits, for {DEFAULT_MODEL}: name PICTURES for {model}")
    pictures = pictures or tuple(map(str, sample_pictures()))
    classifier = Classifier(model, preset=preset, labels=labels, threads=threads)
    top = top or (5 if len(pictures) == 1 else 1)
    results = {picture: classifier(picture, top) for picture in pictures}
    if json:
        return emit_json(
            {
                p: [{"label": g.label, "index": g.index, "probability": g.probability} for g in r]
                for p, r in results.items()
            }
        )
    from rich.table import Table

    table = Table("picture", "answer", "probability")
    for picture, guesses in results.items():
        for i, guess in enumerate(guesses):
            table.add_row(
                picture if i == 0 else "", guess.label, f"{guess.probability:.1%}", style="bold" if i == 0 else "dim"
            )
    out = console()
    out.print(classifier.title, markup=False, soft_wrap=True)
    out.print(table)


@main.command()
@click.argument("model", type=click.Path())
@click.option("--input", "inputs", multiple=True, metavar="NAME=FILE.npy", help="A feed; random where not given.")
@click.option(
    "--output", "outputs", multiple=True, metavar="NAME", help="Any value of the model; default: its outputs."
)
@click.option("--save", type=click.Path(), metavar="FILE.npz", help="Write the results.")
@dropout_option
@threads_option
@as_json
def run(
    model: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    save: str | None,
    dropout: str,
    threads: int,
    json: bool,
) -> None:
    """Run an ONNX model once."""
    from tinycnn.benchmark import random_feeds
    from tinycnn.feeds import load_feeds, save_results, statistics

    session = open_session(model, threads, dropout=dropout)
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


@main.command()
@click.argument("model", type=click.Path())
@shape_option
@click.option("--algorithm", help="Run all convolutions by this algorithm where it applies.")
@click.option("--report", is_flag=True, help="Also tell what was folded, fused, scaled and left.")
@dropout_option
@threads_option
@as_json
def inspect(
    model: str, shape: tuple[str, ...], algorithm: str | None, report: bool, dropout: str, threads: int, json: bool
) -> None:
    """Show layers, shapes, parameters, multiply-adds, the algorithm of each and why."""
    from tinycnn.summary import summarise

    summary = summarise(open_session(model, threads, conv_algorithm=algorithm, dropout=dropout), parse_shapes(shape))
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


def print_report(actions: Any) -> None:
    from rich.table import Table

    table = Table("node", "operator", "what", "detail", title="conversion report", title_justify="left")
    for action in actions:
        table.add_row(action["node"], action["operator"], action["what"], action["detail"])
    console().print(table)


@main.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="The ONNX file to write.")
@click.option("--report", is_flag=True, help="Tell per node what was folded, fused, scaled or left.")
@click.option("--raw", is_flag=True, help="Only lift to the newest opset; fold and fuse nothing.")
@dropout_option
@as_json
def convert(model: str, output: str, report: bool, raw: bool, dropout: str, json: bool) -> None:
    """Fold and fuse a model, and write it as ONNX."""
    from tinycnn import passes
    from tinycnn.converters import load_onnx, save_onnx

    graph = load_onnx(model, dropout=dropout)
    if not raw:
        graph = passes.run(graph, passes.LOAD)
    save_onnx(graph, output)
    actions = [asdict(action) for action in graph.report]
    if json:
        return emit_json({"output": output, "nodes": len(graph.nodes), "report": actions})
    if report:
        print_report(actions)
    click.echo(f"{output}: {len(graph.nodes)} nodes, {Path(output).stat().st_size:,} bytes")


@main.command()
@click.argument("model", type=click.Path())
@click.option("--seconds", type=float, default=2.0, show_default=True)
@shape_option
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@as_json
def bench(model: str, seconds: float, shape: tuple[str, ...], threads: int, json: bool) -> None:
    """Compare with onnxruntime: same inputs, same threads, in turn."""
    from tinycnn.benchmark import compare

    c = compare(model, threads, seconds, parse_shapes(shape))
    if json:
        return emit_json(asdict(c))
    from rich.table import Table

    table = Table(
        "engine", "median ms", "P90 ms", title=f"{model}, {threads} thread(s), {c.runs} runs each", title_justify="left"
    )
    table.add_row("tinycnn", f"{c.tinycnn_ms:.3f}", f"{c.tinycnn_p90_ms:.3f}")
    table.add_row("onnxruntime", f"{c.onnxruntime_ms:.3f}", f"{c.onnxruntime_p90_ms:.3f}")
    out = console()
    out.print(table)
    out.print(f"speed-up {c.speedup:.2f}, error {c.error:.1e}")


@main.command()
@click.option("--isa", help="avx512, avx2 or portable; default: the one in use.")
@as_json
def warmup(isa: str | None, json: bool) -> None:
    """Compile every kernel for this machine and keep it in the cache."""
    from tinycnn.kernels.cache import cache_folder
    from tinycnn.kernels.cpu import all_kernels, native
    from tinycnn.kernels.cpu import isa as isas
    from tinycnn.knobs import CACHE

    target = isas.resolve(isa) if isa else isas.current()
    folder = cache_folder(CACHE.get())
    if folder is None:
        raise OptionError(
            f"no folder for compiled kernels can be written: set {CACHE.name} to one of your own that can"
        )
    kernels = list(all_kernels(target.name))
    missing = [k for k in kernels if not native.is_ready(k)]
    with compile_progress(json) as progress:
        native.prepare(missing, progress)
    told = {"isa": target.name, "kernels": len(kernels), "compiled": len(missing), "folder": str(folder)}
    if json:
        return emit_json(told)
    click.echo(f"{len(kernels)} kernels for {target.name} ready in {folder}, {len(missing)} compiled now")


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
