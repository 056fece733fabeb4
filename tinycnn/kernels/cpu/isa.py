"""Which instruction set the kernels are compiled for: vector width, registers, and how LLVM calls them."""

import functools
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tinycnn import knobs
from tinycnn.errors import OptionError
from tinycnn.ir.memory import OVERREAD
from tinycnn.kernels.lowering import Platform


@dataclass(frozen=True)
class Isa:
    """One variant of all kernels.

    lanes      f32 elements of a vector, and the channel block of the blocked layout
    registers  vector registers
    cpu        LLVM's name of the processor to schedule for; "" is the host's baseline
    features   LLVM's names of the features beyond that baseline
    needs      flags that the processor must have, as LLVM names them
    dot        flags of what multiplies bytes and adds up 32-bit integers, which it need not have; empty: nothing does
    """

    name: str
    lanes: int
    registers: int
    cpu: str = ""
    features: str = ""
    needs: frozenset[str] = frozenset()
    dot: frozenset[str] = frozenset()
    platform: ClassVar[Platform] = "cpu"
    overread: ClassVar[int] = OVERREAD
    owns_inputs: ClassVar[bool] = True
    fuses_expansion: ClassVar[bool] = True

    @property
    def multiplies_bytes(self) -> bool:
        return bool(self.dot) and self.dot <= host_features()


AVX512 = frozenset({"avx512f", "avx512vl", "avx512bw", "avx512dq", "fma"})
ISAS: Mapping[str, Isa] = {
    "avx512": Isa("avx512", 16, 32, "skylake-avx512", "-prefer-256-bit", AVX512, frozenset({"avx512vnni"})),
    "avx2": Isa("avx2", 8, 16, "haswell", "", frozenset({"avx2", "fma"})),
    "portable": Isa("portable", 4, 16 if platform.machine() in ("x86_64", "AMD64") else 32),
}


def cpuinfo() -> str:
    """What Linux tells of its processors; empty elsewhere. LLVM knows more, but takes longer to load."""
    try:
        return Path("/proc/cpuinfo").read_text("ascii")
    except (OSError, ValueError):
        return ""


@functools.cache
def host_features() -> frozenset[str]:
    """Flags of this processor, as LLVM names them."""
    flags = re.search(r"^flags\s*:(.*)$", cpuinfo(), re.M)
    if flags:
        return frozenset(flag.replace("avx512_", "avx512") for flag in flags[1].split())
    import llvmlite.binding as llvm

    return frozenset(name for name, present in llvm.get_host_cpu_features().items() if present)


@functools.cache
def resolve(name: str | None) -> Isa:
    if name is None:
        return next(isa for isa in ISAS.values() if isa.needs <= host_features())
    if name not in ISAS:
        raise OptionError(f"{knobs.ISA.name}={name!r}: it must be one of {', '.join(ISAS)}")
    missing = ISAS[name].needs - host_features()
    if missing:
        raise OptionError(f"{knobs.ISA.name}={name!r}: this processor lacks {', '.join(sorted(missing))}")
    return ISAS[name]


def current() -> Isa:
    """The variant that the knob TINYCNN_ISA asks for, else the best that this processor has.

    Raises OptionError when the knob names an unknown variant or one that this processor cannot run.
    """
    return resolve(knobs.ISA.get())
