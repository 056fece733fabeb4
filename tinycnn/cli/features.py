"""What a layer computes from pictures, as arrays."""

from pathlib import Path

import click

from tinycnn.cli.classify import DEFAULT_MODEL
from tinycnn.cli.group import main
from tinycnn.cli.options import as_json, threads_option
from tinycnn.cli.output import console, emit_json, progress_of


@main.command()
@click.argument("pictures", nargs=-1, type=click.Path())
@click.option("--model", default=DEFAULT_MODEL, show_default=True, help="A network by its name, or an ONNX file.")
@click.option("--layer", metavar="NAME", help="A value or a node of the network.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE.npz", help="Where to write features and pictures.")
@click.option("--list", "shows", is_flag=True, help="Show the layers of the network.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Pictures at once.")
@click.option("--preset", help="Preprocessing of an ONNX file without a card: imagenet, caffe, unit or raw.")
@threads_option
@as_json
def features(
    pictures: tuple[str, ...],
    model: str,
    layer: str | None,
    output: str | None,
    shows: bool,
    batch: int,
    preset: str | None,
    threads: int,
    json: bool,
) -> None:
    """Write what a layer computes from PICTURES, files or folders, to an .npz of two arrays.

    `features` has a row a picture, `pictures` their files in this order.
    """
    if not shows and not (pictures and layer and output):
        raise click.UsageError("PICTURES, --layer and --output are needed, or --list")
    from tinycnn.picture_model import PictureModel

    network = PictureModel.open(model, preset=preset, threads=threads)
    if shows:
        return show_layers(network.title, [vars(found) for found in network.layers()], json)
    from tinycnn.features import save_features
    from tinycnn.models import find_pictures

    files = find_pictures(pictures)
    with progress_of(f"{layer} of {model}", json) as update:
        values = save_features(Path(str(output)), network, files, str(layer), batch=batch, progress=update)
    if json:
        return emit_json({"output": output, "shape": values.shape, "dtype": values.dtype.name})
    click.echo(f"{output}: {layer} of {len(files)} pictures, {'x'.join(map(str, values.shape))} {values.dtype.name}")


def show_layers(title: str, rows: list[dict[str, object]], json: bool) -> None:
    if json:
        return emit_json(rows)
    from rich.table import Table

    table = Table("layer", "operator", "node", "shape")
    for row in rows:
        shape = row["shape"]
        table.add_row(row["name"], row["operator"], row["node"], "x".join(map(str, shape)) if shape else "?")  # type: ignore
    out = console()
    out.print(title, markup=False, soft_wrap=True)
    out.print(table)
