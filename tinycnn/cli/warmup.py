"""Every kernel, compiled and kept."""

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json
from tinycnn.cli.output import compile_progress, emit_json
from tinycnn.errors import OptionError


@main.command()
@click.option("--isa", help="avx512, avx2 or portable; default: the one in use.")
@as_json
def warmup(isa: str | None, json: bool) -> None:
    """Compile every kernel for this machine and keep it in the cache."""
    from tinycnn.kernels.cpu import all_kernels, native
    from tinycnn.kernels.cpu import isa as isas
    from tinycnn.knobs import CACHE

    target = isas.resolve(isa) if isa else isas.current()
    folder = native.cache_folder(CACHE.get())
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
