"""A model folded, fused and written again."""

from dataclasses import asdict
from pathlib import Path

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json, dropout_option, source
from tinycnn.cli.output import emit_json, print_report


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

    found = source(model, dropout=dropout)
    graph = load_onnx(found, dropout=dropout) if isinstance(found, str) else found
    if not raw:
        graph = passes.run(graph, passes.LOAD)
    save_onnx(graph, output)
    actions = [asdict(action) for action in graph.report]
    if json:
        return emit_json({"output": output, "nodes": len(graph.nodes), "report": actions})
    if report:
        print_report(actions)
    click.echo(f"{output}: {len(graph.nodes)} nodes, {Path(output).stat().st_size:,} bytes")
