"""Kernels stand on their own: they compile for every instruction set, need nothing from outside, and do not spill."""

import platform
import re
import struct
import sys
from collections.abc import Iterator

import pytest

from tinycnn.kernels.cpu import all_kernels, image, native
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel

KERNELS = [kernel for isa in ISAS for kernel in all_kernels(isa)]
REGISTERS = {"avx512": "zmm", "avx2": "ymm"}


def undefined_symbols(data: bytes) -> Iterator[str]:
    """Names that an ELF64 object file expects from others. Source: System V ABI, chapter 4."""
    section_table, entry_size, count = (
        struct.unpack_from("<Q", data, 0x28)[0], *struct.unpack_from("<HH", data, 0x3A),
    )  # fmt: skip
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, section_table + i * entry_size) for i in range(count)]
    for _, kind, _, _, start, size, link, _, _, each in sections:
        if kind == 2:  # SHT_SYMTAB
            for at in range(start + each, start + size, each):
                name, _, _, section = struct.unpack_from("<IBBH", data, at)
                if section == 0:
                    begin = sections[link][4] + name
                    yield data[begin : data.index(b"\0", begin)].decode()


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_every_kernel_compiles_and_needs_nothing_from_outside(kernel: Kernel) -> None:
    """Not even LLVM's linker, where there are images."""
    data = native.compiled(kernel)
    if data.startswith(b"\x7fELF"):
        assert set(undefined_symbols(data)) <= native.EXTERNAL
        assert (sys.platform, platform.machine()) != ("linux", "x86_64")
    else:
        assert image.is_image(data)


def loops(assembly: str) -> Iterator[list[str]]:
    """The instructions of every innermost loop: from a label to the first jump back to it."""
    blocks = re.split(r"^(\.?\w+):.*$", assembly, flags=re.M)
    for label, body in zip(blocks[1::2], blocks[2::2], strict=True):
        lines = [line.strip() for line in body.splitlines()]
        back = next((i for i, line in enumerate(lines) if re.fullmatch(rf"j\w+\s+{re.escape(label)}", line)), None)
        if back is not None:
            yield lines[:back]


def fmas_and_spills(isa: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of lines that multiply and add, and of those that move a vector from or to the stack."""
    register = REGISTERS[isa]
    fma = re.compile(rf"(vfn?m(add|sub)\d+ps|vpdpbusd) .*%{register}\d+$".replace(" ", r"\s+"))
    return fma, re.compile(rf"%rsp.*%{register}|%{register}.*%rsp")


MICRO_KERNEL = re.compile(
    r"(conv_bytes|conv_direct|conv_im2col|conv_strassen|conv_winograd_f4x3|gemm)_.*_(\d+)x(\d+)__(avx512|avx2)"
)


def micro_kernels() -> Iterator[tuple[Kernel, int]]:
    """Those with a register tile, and its number of accumulators."""
    for kernel in KERNELS:
        found = MICRO_KERNEL.fullmatch(kernel.name)
        if found and int(found[2]) > 1:
            yield kernel, int(found[2]) * int(found[3])


reads_assembly = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads assembly of x86-64 in AT&T syntax"
)


@reads_assembly
@pytest.mark.parametrize(("kernel", "accumulators"), [pytest.param(*m, id=m[0].name) for m in micro_kernels()])
def test_the_inner_loop_multiplies_in_registers(kernel: Kernel, accumulators: int) -> None:
    fma, spill = fmas_and_spills(kernel.target)
    counted = [(sum(map(bool, map(fma.match, loop))), loop) for loop in loops(native.assembly(kernel))]
    unrolled = accumulators * ISAS[kernel.target].lanes  # what LLVM makes of a loop over the channels of a block
    inner = [loop for count, loop in counted if count in (accumulators, unrolled)]
    assert inner, f"no loop of {accumulators} multiply-adds"
    for loop in inner:
        assert [line for line in loop if spill.search(line)] == []


SLIDING = re.compile(r"conv_(?:depthwise|grouped\d+)_3tap_.*_(\d+)x1__avx512")
SLIDING_KERNELS = [(kernel, int(found[1])) for kernel in KERNELS if (found := SLIDING.fullmatch(kernel.name))]


@reads_assembly
@pytest.mark.parametrize(("kernel", "rows"), [pytest.param(*m, id=m[0].name) for m in SLIDING_KERNELS])
def test_sliding_tiles_multiply_in_registers_between_the_borders(kernel: Kernel, rows: int) -> None:
    """A channel of a group is one run of code, of which LLVM may pull a multiply-add before a branch. At the borders
    addresses are selected."""
    fma, spill = fmas_and_spills("avx512")
    runs = re.split(r"^\.?\w+:.*$", native.assembly(kernel), flags=re.M)
    lines = [[line.strip() for line in run.splitlines()] for run in runs]
    multiplying = [run for run in lines if sum(map(bool, map(fma.match, run))) >= 3 * rows - 1]
    [inside] = [run for run in multiplying if not any(line.startswith("cmov") for line in run)]
    assert [line for line in inside if spill.search(line)] == []
