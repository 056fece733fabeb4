"""What is on pictures."""

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json, threads_option
from tinycnn.cli.output import console, emit_json
from tinycnn.errors import OptionError

DEFAULT_MODEL = "cifar10_resnet"


@main.command()
@click.argument("pictures", nargs=-1, type=click.Path())
@click.option("--model", help=f"A trained network by its name, or an ONNX file.  [default: {DEFAULT_MODEL}]")
@click.option("--labels", type=click.Path(), help="Class names, one a line.")
@click.option("--preset", help="Preprocessing of an ONNX file without a card: imagenet, caffe, unit or raw.")
@click.option("--top", type=click.IntRange(1), help="Answers a picture; default: 5 for one picture, 1 for several.")
@click.option("--ten-crop", is_flag=True, help="Average over corners, centre and their mirror images.")
@threads_option
@as_json
def classify(
    pictures: tuple[str, ...],
    model: str | None,
    labels: str | None,
    preset: str | None,
    top: int | None,
    ten_crop: bool,
    threads: int,
    json: bool,
) -> None:
    """Say what is on PICTURES, files or folders; without any, on those that come with a network of the package."""
    from tinycnn.classify import Classifier
    from tinycnn.models import find_pictures

    chosen = model or DEFAULT_MODEL
    classifier = Classifier(chosen, preset=preset, labels=labels, threads=threads, ten_crop=ten_crop)
    pictures = tuple(map(str, find_pictures(pictures) or classifier.model.samples))
    if not pictures:
        raise OptionError(f"no pictures come with {chosen}: name some to classify")
    top = top or (5 if len(pictures) == 1 else 1)
    results = {picture: classifier(picture, top) for picture in pictures}
    told = classifier.title + ("" if model else "; no --model was given, digits are read with --model lenet5")
    if json:
        if not model:
            click.echo(told, err=True)
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
    out.print(told, markup=False, soft_wrap=True)
    out.print(table)
