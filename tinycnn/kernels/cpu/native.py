"""Kernels from source to address: compiled once per machine, kept as machine code, loaded without a compiler.

A kernel becomes a free-standing object with one public symbol, `void name(row*, i64, i64)`, that unpacks the row and
calls the compiled function. The cache holds its image, see `image.py`, or the object where it has none, behind its
SHA-256.
"""

import contextlib
import functools
import platform
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from tinycnn.errors import CompileError
from tinycnn.kernels import cache
from tinycnn.kernels.cache import fetch, keep
from tinycnn.kernels.cpu import image
from tinycnn.kernels.cpu.isa import ISAS, Isa
from tinycnn.kernels.kernel import Kernel
from tinycnn.stages import stage

HERE = Path(__file__).parent
EXTERNAL = frozenset({"memcpy", "memset", "memmove"})
lock = threading.RLock()
addresses: dict[str, int] = {}
loaded: list[Any] = []
version = functools.cache(metadata.version)


def instruction_set(kernel: Kernel) -> Isa:
    """What the kernel is compiled for."""
    isa = ISAS[kernel.target]
    return replace(isa, features=f"{isa.features},{kernel.features}") if kernel.features else isa


def digest(kernel: Kernel) -> str:
    """Changes whenever the object would: sources, compilers, instruction set."""
    isa = instruction_set(kernel)
    layout = (HERE / "image.py").read_bytes()
    key = (isa.cpu, isa.features, platform.machine(), version("numba"), version("llvmlite"), layout)
    return cache.digest(kernel, HERE / "native.py", key)


def place(kernel: Kernel) -> Path | None:
    """Where the kernel's object is kept; None where nothing can be."""
    return cache.place(f"{kernel.name}-{digest(kernel)}.o")


def new_machine(isa: Isa) -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=isa.cpu, features=isa.features, opt=3, reloc="pic", codemodel="small")


target_machine = functools.cache(new_machine)


def entry(kernel: Kernel, inner: str) -> str:
    """LLVM text of the public symbol: loads each slot of the row and calls the compiled function."""
    kinds = ["float" if f.kind == "f32" else "i64" for f in kernel.fields]
    loads = [
        f"  %p{i} = getelementptr i64, ptr %row, i64 {i}\n  %v{i} = load {kind}, ptr %p{i}"
        for i, kind in enumerate(kinds)
    ]
    arguments = ", ".join([*(f"{kind} %v{i}" for i, kind in enumerate(kinds)), "i64 %a", "i64 %b"])
    return f"""
define void @{kernel.name}(ptr %row, i64 %a, i64 %b) {{
  %r = alloca ptr
  %x = alloca ptr
{chr(10).join(loads)}
  %s = call i32 @{inner}(ptr %r, ptr %x, {arguments})
  ret void
}}
"""


@contextlib.contextmanager
def optimising_for(machine: Any) -> Iterator[None]:
    """Numba optimises for this machine, not for its host: what a kernel becomes follows from its instruction set."""
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.registry import cpu_target

    codegen = cpu_target.target_context.codegen()
    with global_compiler_lock:
        own, codegen._tm = codegen._tm, machine
        try:
            yield
        finally:
            codegen._tm = own


def compile_ir(kernel: Kernel) -> Any:
    """The kernel's optimised LLVM module with its one public symbol.

    Raises CompileError when the function's parameters are not the kernel's fields, or when it needs a symbol from
    outside: kernels stand on their own.
    """
    import inspect

    import llvmlite.binding as llvm
    from numba import njit, types

    from tinycnn.kernels.cpu.simd import BARE

    function = kernel.build()
    names = [f.name for f in kernel.fields]
    found = list(inspect.signature(function).parameters)
    if found[:-2] != names:
        raise CompileError(f"{kernel.name}: its parameters {found[:-2]} are not its fields {names}")
    kinds = [types.float32 if f.kind == "f32" else types.intp for f in kernel.fields]
    machine = target_machine(instruction_set(kernel))
    with optimising_for(machine):
        dispatcher = njit(types.void(*kinds, types.intp, types.intp), **BARE)(function)
    result = dispatcher.overloads[dispatcher.signatures[0]]
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", str(result.library._final_module))
    text = re.sub(r"^target datalayout = .*$", f'target datalayout = "{machine.target_data}"', text, flags=re.M)
    module = llvm.parse_assembly(text + entry(kernel, result.fndesc.mangled_name))
    for f in module.functions:
        if not f.is_declaration and f.name != kernel.name:
            f.linkage = "internal"
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, builder)
    foreign = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")} - EXTERNAL
    if foreign:
        raise CompileError(f"{kernel.name} needs symbols from outside: {', '.join(sorted(foreign))}")
    return module


def assembly(kernel: Kernel) -> str:
    return str(target_machine(instruction_set(kernel)).emit_assembly(compile_ir(kernel)))


def load(kernel: Kernel, data: bytes) -> int:
    if image.is_image(data):
        try:
            start, memory = image.load(data)
        except OSError as error:
            raise CompileError(f"{kernel.name}: this system runs no code that was made at run time: {error}") from None
        loaded.append(memory)
        return start
    return linked(kernel, data)


def linked(kernel: Kernel, data: bytes) -> int:
    """The address of an object's symbol, laid out by LLVM."""
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), new_machine(ISAS["portable"]))
    engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    loaded.append(engine)
    return int(engine.get_function_address(kernel.name))


def emitted(kernel: Kernel) -> bytes:
    """The kernel's object file."""
    return bytes(target_machine(instruction_set(kernel)).emit_object(compile_ir(kernel)))


def machine_code(kernel: Kernel) -> bytes:
    """The kernel's image, or its object where it has none, compiled now."""
    data = emitted(kernel)
    return image.make_image(data, kernel.name) or data


def compiled(kernel: Kernel) -> bytes:
    """The kernel's machine code: from the cache, or compiled and kept there."""
    path = place(kernel)
    data = fetch(path) if path else None
    if data is None:
        with stage("compile"):
            data = machine_code(kernel)
            if path:
                keep(path, data)
    return data


def address(kernel: Kernel) -> int:
    """Address of the kernel's entry in this process; compiled, or fetched from the cache, on first use."""
    with lock:
        if kernel.name not in addresses:
            with stage("link"):
                addresses[kernel.name] = load(kernel, compiled(kernel))
        return addresses[kernel.name]


def is_ready(kernel: Kernel) -> bool:
    """Whether `address` compiles nothing: the kernel is loaded, by this at the latest, where the cache has it."""
    with lock:
        if kernel.name not in addresses:
            path = place(kernel)
            data = fetch(path) if path else None
            if data is None:
                return False
            with stage("link"):
                addresses[kernel.name] = load(kernel, data)
        return True


def prepare(kernels: Iterable[Kernel], progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compiles what is missing. progress(name, done, total) is told before each and once at the end."""
    missing = [k for k in kernels if not is_ready(k)]
    for i, kernel in enumerate(missing):
        if progress:
            progress(kernel.name, i, len(missing))
        address(kernel)
    if progress and missing:
        progress("", len(missing), len(missing))
