"""What CUDA kernels are compiled for: a compute capability, and what the planner must know of the device."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from tinycnn.kernels.lowering import Platform

Precision = Literal["f32", "tf32", "bf16", "f16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# The capabilities that kernels are tested to compile for; a device of another runs those of the next lower.
CAPABILITIES = (75, 80, 90)
TENSOR_CORES = 80  # the least that has those of TF32 and BF16


@dataclass(frozen=True)
class Device:
    """One target of all CUDA kernels.

    number           which of the machine's devices
    capability       10 * major + minor of the kernels, one of CAPABILITIES
    multiprocessors  of the device
    precision        in which convolutions and matrix products multiply; sums are f32 always
    """

    platform: ClassVar[Platform] = "cuda"
    lanes: ClassVar[int] = 1
    overread: ClassVar[int] = 0
    owns_inputs: ClassVar[bool] = False
    multiplies_bytes: ClassVar[bool] = False
    fuses_expansion: ClassVar[bool] = False

    capability: int
    multiprocessors: int = 132
    precision: Precision = "f32"
    number: int = 0

    @property
    def name(self) -> str:
        return f"sm_{self.capability}"
