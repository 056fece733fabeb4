"""Every kernel, compiled and kept."""

from importlib import import_module
from types import ModuleType

import click

from tinycnn.cli.group import main
from tinycnn.cli.options import as_json
from tinycnn.cli.output import compile_progress, emit_json
from tinycnn.errors import OptionError


def platform_of(isa: str | None) -> tuple[ModuleType, str]:
    """The folder of kernels, and the target's name. Raises OptionError for one that does not exist."""
    from tinycnn.kernels import cpu, cuda
    from tinycnn.kernels.cpu import isa as isas
    from tinycnn.kernels.cuda.device import CAPABILITIES

    if isa in [f"sm_{capability}" for capability in CAPABILITIES]:
        return cuda, str(isa)
    return cpu, (isas.resolve(isa) if isa else isas.current()).name


@main.command()
@click.option("--isa", help="avx512, avx2 or portable, or sm_75, sm_80 or sm_90 of CUDA; default: the one in use.")
@as_json
def warmup(isa: str | None, json: bool) -> None:
    """Compile every kernel for this machine and keep it in the cache."""
    from tinycnn.kernels.cache import cache_folder
    from tinycnn.knobs import CACHE

    platform, target = platform_of(isa)
    native = import_module(f"{platform.__name__}.native")
    folder = cache_folder(CACHE.get())
    if folder is None:
        raise OptionError(
            f"no folder for compiled kernels can be written: set {CACHE.name} to one of your own that can"
        )
    kernels = list(platform.all_kernels(target))
    missing = [k for k in kernels if not native.is_ready(k)]
    with compile_progress(json) as progress:
        native.prepare(missing, progress)
    told = {"isa": target, "kernels": len(kernels), "compiled": len(missing), "folder": str(folder)}
    if json:
        return emit_json(told)
    click.echo(f"{len(kernels)} kernels for {target} ready in {folder}, {len(missing)} compiled now")
