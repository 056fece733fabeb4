"""CUDA kernels from source to machine code: compiled once per machine, without a device, and kept as cubins.

Numba compiles a kernel to PTX, nvJitLink that to a cubin: a driver that is older than the PTX can still load it.
"""

import contextlib
import functools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

from tinycnn.errors import CompileError, MissingPackageError
from tinycnn.kernels import cache
from tinycnn.kernels.cuda.launch import CudaKernel

PACKAGES = ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink", "nvidia-cuda-nvvm")
lock = threading.RLock()
images: dict[str, bytes] = {}


@functools.cache
def versions() -> tuple[str, ...]:
    """Of the compilers; those that do not come as packages are the system's."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append("")
    return tuple(found)


def place(kernel: CudaKernel) -> Path | None:
    """Where the kernel's cubin is kept; None where nothing can be."""
    digest = cache.digest(kernel, Path(__file__), (kernel.threads, kernel.resident, *versions()))
    return cache.place(f"{kernel.name}-{digest}.cubin")


@contextlib.contextmanager
def compiling_for(capability: tuple[int, int]) -> Iterator[None]:
    """Numba compiles inner functions for the device of the machine; there need not be one."""
    from numba.cuda import dispatcher
    from numba.cuda.core.compiler_lock import global_compiler_lock

    with global_compiler_lock:
        own = dispatcher.get_current_device
        dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
        try:
            yield
        finally:
            dispatcher.get_current_device = own


def ptx(kernel: CudaKernel) -> str:
    """The kernel as PTX whose one entry has the kernel's name.

    Raises CompileError when the function's parameters are not the kernel's fields, MissingPackageError without
    numba-cuda.
    """
    import inspect

    try:
        from numba import cuda
        from numba.cuda import types
    except ImportError:
        raise MissingPackageError("CUDA kernels need numba-cuda: pip install 'tinycnn[cuda]'") from None
    function = kernel.build()
    names, found = [f.name for f in kernel.fields], list(inspect.signature(function).parameters)
    if found != names:
        raise CompileError(f"{kernel.name}: its parameters {found} are not its fields {names}")
    kinds = [types.float32 if f.kind == "f32" else types.int64 for f in kernel.fields]
    capability = divmod(int(kernel.target.removeprefix("sm_")), 10)
    bounds = (kernel.threads, kernel.resident)
    with compiling_for(capability):
        text, _ = cuda.compile_ptx(function, types.void(*kinds), cc=capability, device=False, launch_bounds=bounds)
    [entry] = re.findall(r"\.visible \.entry (\w+)\(", text)
    return str(text).replace(entry, kernel.name)


def assemble(kernel: CudaKernel, text: str) -> bytes:
    """PTX to a cubin. Raises CompileError with the linker's own words."""
    try:
        from cuda.bindings import nvjitlink
    except ImportError:
        raise MissingPackageError("CUDA kernels need nvJitLink: pip install 'tinycnn[cuda]'") from None
    options = [f"-arch={kernel.target}", "-O3"]
    handle = nvjitlink.create(len(options), options)
    try:
        data = text.encode()
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, data, len(data), kernel.name)
        nvjitlink.complete(handle)
        image = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, image)
    except nvjitlink.nvJitLinkError as error:
        log = bytearray(nvjitlink.get_error_log_size(handle))
        nvjitlink.get_error_log(handle, log)
        raise CompileError(f"{kernel.name}: {error}: {log.decode(errors='replace').strip()}") from None
    finally:
        nvjitlink.destroy(handle)
    return bytes(image)


def cubin(kernel: CudaKernel) -> bytes:
    """The kernel's machine code: loaded before, kept in the cache, or compiled now and kept."""
    with lock:
        if kernel.name not in images:
            path = place(kernel)
            data = cache.fetch(path) if path else None
            if data is None:
                data = assemble(kernel, ptx(kernel))
                if path:
                    cache.keep(path, data)
            images[kernel.name] = data
        return images[kernel.name]


def is_ready(kernel: CudaKernel) -> bool:
    """Whether `cubin` compiles nothing."""
    path = place(kernel)
    return kernel.name in images or (path is not None and cache.fetch(path) is not None)


def prepare(kernels: Iterable[CudaKernel], progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compiles what is missing. progress(name, done, total) is told before each and once at the end."""
    missing = [k for k in kernels if not is_ready(k)]
    for i, kernel in enumerate(missing):
        if progress:
            progress(kernel.name, i, len(missing))
        cubin(kernel)
    if progress and missing:
        progress("", len(missing), len(missing))
