"""Feature maps and filters as a picture."""

from pathlib import Path

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json, threads_option
from tinycnn.cli.output import emit_json


@main.command()
@click.argument("model", type=click.Path())
@click.argument("picture", required=False, type=click.Path())
@click.option(
    "--layer", metavar="NAME", help="The value or node whose maps are shown; `tinycnn features --list` has all."
)
@click.option("--filters", is_flag=True, help="Show the filters of the first convolution; no PICTURE is needed.")
@click.option("-o", "--output", required=True, type=click.Path(), metavar="FILE.png", help="The picture to write.")
@click.option("--most", type=click.IntRange(1), default=64, show_default=True, help="Maps or filters at most.")
@click.option("--preset", help="Preprocessing of an ONNX file without a card: imagenet, caffe, unit or raw.")
@threads_option
@as_json
def show(
    model: str,
    picture: str | None,
    layer: str | None,
    filters: bool,
    output: str,
    most: int,
    preset: str | None,
    threads: int,
    json: bool,
) -> None:
    """Draw what a layer of MODEL sees of PICTURE, map by map, or the filters that MODEL looks through first."""
    if filters == bool(picture and layer):
        raise click.UsageError("PICTURE and --layer are needed, or --filters")
    from tinycnn.picture_model import PictureModel
    from tinycnn.show import format_of, save_picture, show_filters, show_maps

    path = Path(output)
    format_of(path)
    network = PictureModel.open(model, preset=preset, threads=threads)
    image = show_filters(network, most) if filters else show_maps(network, str(picture), str(layer), most)
    save_picture(image, path)
    if json:
        return emit_json({"output": output, "width": image.width, "height": image.height})
    click.echo(f"{output}: {image.width}x{image.height}")
