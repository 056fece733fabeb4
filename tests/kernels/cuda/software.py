"""A CUDA device of software: kernels as Numba compiles them for a device, run by this processor, behind our own driver.

What Numba would hand to libNVVM becomes a shared library: LLVM compiles it for this processor, and instructions that it
has not are calls of functions in `software_block.c`, named after them. Everything else is what runs with a GPU:
driver.py and NVIDIA's bindings, with `software_driver.c` in place of NVIDIA's driver. It shows what the simulator
cannot: widths of integers, addresses of shared memory, what bindings take, whole networks. It does not show what
libNVVM and the assembler make of a kernel, nor how fast that is.

`TINYCNN_GPU=software pytest -m gpu` asks for it, and `TINYCNN_GPU=software-7.5` for one of that compute capability.
"""

import ctypes
import functools
import importlib.util
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tinycnn.kernels.cuda import native
from tinycnn.kernels.cuda.launch import CudaKernel

SOURCES = [Path(__file__).with_name(f"software_{part}.c") for part in ("driver", "block")]
SHARED = 0x20000000  # where a block's shared memory lies: an address of 32 bits


class Captured(Exception):
    """LLVM modules as text, on their way to libNVVM."""


def headers() -> Path | None:
    """The folder of cuda.h, which numba-cuda brings along."""
    found = importlib.util.find_spec("nvidia.cu13") if importlib.util.find_spec("nvidia") else None
    folders = [Path(folder) / "include" for folder in (found and found.submodule_search_locations) or ()]
    return next((folder for folder in folders if (folder / "cuda.h").exists()), None)


def unavailable() -> str | None:
    """Why there can be no such device here."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "a device of software needs Linux on x86-64"
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        return "a device of software needs a processor with AVX2"
    if not headers():
        return "a device of software needs cuda.h: pip install 'tinycnn[cuda]'"
    return None if shutil.which("cc") else "a device of software needs a C compiler"


@functools.cache
def library() -> ctypes.CDLL:
    """libcuda.so.1 of this process from now on: the loader knows it by that name."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/libcuda.so.1"
        flags = ["-O3", "-mavx2", "-mfma", "-mf16c", "-fPIC", "-shared", "-Wl,-soname,libcuda.so.1"]
        given = [f"-I{headers()}", f"-DSHARED={SHARED}"]
        subprocess.run(["cc", *flags, *given, "-o", path, *SOURCES, "-lm", "-ldl", "-lpthread"], check=True)
        return ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)


def symbol(instruction: str) -> str:
    """A name for an instruction of PTX: its words without the operands $0, $1, ..."""
    return re.sub(r"\W+", "_", re.sub(r"\$\d+", "", instruction)).strip("_")


def call(builder: Any, text: str, constraints: str, result: Any, args: Any, side_effect: bool = False) -> Any:
    """In place of `simt.inline_assembly`. Structures are returned in memory."""
    from llvmlite import ir
    from numba.cuda import cgutils

    in_memory = isinstance(result, ir.LiteralStructType)
    place = [cgutils.alloca_once(builder, result)] if in_memory else []
    args = [*place, *args]
    kind = ir.FunctionType(ir.VoidType() if in_memory else result, [arg.type for arg in args])
    value = builder.call(cgutils.get_or_insert_function(builder.module, kind, symbol(text)), args)
    return builder.load(place[0]) if in_memory else value


def modules(kernel: CudaKernel) -> list[str]:
    """In place of `native.ptx`: LLVM modules, the last with the entry."""
    from numba.cuda.cudadrv import nvvm

    def capture(texts: str | list[str], **options: Any) -> None:
        raise Captured([texts] if isinstance(texts, str) else texts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvvm, "compile_ir", capture)
        try:
            compiled_ptx(kernel)
        except Captured as captured:
            [texts] = captured.args
    return [*map(for_this_processor, texts), entry(kernel, "\n".join(texts))]


def for_this_processor(text: str) -> str:
    def function(match: re.Match[str]) -> str:
        return f"@{match[1]}" if hasattr(library(), match[1]) else match[0]

    # By the annotations LLVM would give kernels the calling convention of a device.
    text = re.sub(r"^(target |!nvvm.annotations).*$", "", text, flags=re.M)
    text = re.sub(r'@"llvm\.nvvm\.([\w.]+)"', lambda match: f"@{match[1].replace('.', '_')}", text)
    text = re.sub(r'^@"shared_memory" = .*$', "", text, flags=re.M)
    text = re.sub(r'ptrtoint .* @"shared_memory" to i32', f"add i32 {SHARED}, 0", text)
    return re.sub(r'@"__nv_(\w+)"', function, text)


def entry(kernel: CudaKernel, text: str) -> str:
    """LLVM text of a function that takes its arguments as a row of 8-byte slots, and of the bytes of each argument."""
    [inner] = re.findall(r'(@"[^"]+"), !"kernel"', text)
    kinds = ["float" if f.kind == "f32" else "i64" for f in kernel.fields]
    sizes = "".join(f"\\{4 if kind == 'float' else 8:02x}" for kind in kinds) + "\\00"
    loads = [
        f"  %p{i} = getelementptr i64, ptr %row, i64 {i}\n  %v{i} = load {kind}, ptr %p{i}"
        for i, kind in enumerate(kinds)
    ]
    return f"""
@argument_sizes = constant [{len(kinds) + 1} x i8] c"{sizes}"
declare void {inner}({", ".join(kinds)})
define void @{kernel.name}(ptr %row) {{
{chr(10).join(loads)}
  call void {inner}({", ".join(f"{kind} %v{i}" for i, kind in enumerate(kinds))})
  ret void
}}
"""


def linked(kernel: CudaKernel, texts: list[str]) -> bytes:
    """In place of `native.assemble`: a shared library behind its length."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(opt=2, reloc="pic", codemodel="small", features="+avx2,+fma")
    whole, *others = (llvm.parse_assembly(text) for text in texts)
    for other in others:
        whole.link_in(other)
    whole.triple, whole.data_layout = target.triple, str(machine.target_data)
    for f in whole.functions:
        if not f.is_declaration and f.name != kernel.name:
            f.linkage = "internal"
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(whole, builder)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel"
        path.with_suffix(".o").write_bytes(machine.emit_object(whole))
        subprocess.run(["cc", "-shared", "-nostdlib", "-o", path, path.with_suffix(".o")], check=True)
        data = path.read_bytes()
    return len(data).to_bytes(8, "little") + data


compiled_ptx, compilers = native.ptx, native.versions


def install() -> None:
    """From now on this process has the device."""
    from tinycnn.kernels.cuda import simt

    library()
    key = (*compilers(), Path(__file__).read_text())
    simt.inline_assembly, native.ptx, native.assemble, native.versions = call, modules, linked, lambda: key
