"""How an operator becomes rows of a program: kernel families offer choices, the planner picks one and lets it emit."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from tinycnn.ir import Node, TensorSpec
from tinycnn.kernels.kernel import Kernel

Layout = Literal["plain", "blocked"]
Platform = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Ref:
    """A byte address before addresses exist: `offset` bytes into buffer number `buffer`."""

    buffer: int
    offset: int = 0

    def __add__(self, nbytes: int) -> "Ref":
        return Ref(self.buffer, self.offset + nbytes)

    @property
    def stride(self) -> "Stride":
        """Of what `Emitter.apart` returned."""
        return Stride(self.buffer)


@dataclass(frozen=True)
class Stride:
    """Bytes from one thread's part of buffer number `buffer` to the next one's, before they are known."""

    buffer: int


class Target(Protocol):
    """What kernels are compiled for. `platform` is the folder that they are in, `name` the end of theirs.

    lanes        the channel block of the blocked layout
    overread     bytes behind a buffer that kernels may read, as OVERREAD says
    owns_inputs  whether a feed is a copy, which may be overwritten once it is read
    multiplies_bytes  whether it has kernels for IntegerConv and IntegerGemm
    fuses_expansion   whether it has kernels for ExpandedConv
    """

    @property
    def platform(self) -> Platform: ...

    @property
    def name(self) -> str: ...

    @property
    def lanes(self) -> int: ...

    @property
    def overread(self) -> int: ...

    @property
    def owns_inputs(self) -> bool: ...

    @property
    def multiplies_bytes(self) -> bool: ...

    @property
    def fuses_expansion(self) -> bool: ...


class Emitter(Protocol):
    """Where a choice writes its rows. All memory is named here; kernels never allocate."""

    def input(self, i: int) -> Ref:
        """Input i in the layout that the choice asked for."""
        ...

    def output(self, i: int = 0) -> Ref: ...

    def placed(self, i: int) -> bool:
        """Whether input i stands in its part of the output already, so that nothing must be copied."""
        ...

    def weights(self, key: str, make: Callable[[], np.ndarray]) -> Ref:
        """A constant block, which follows from the key and the node's constants alone and is shared by all plans of a
        session; 64-byte aligned."""
        ...

    def table(self, values: np.ndarray) -> Ref:
        """A small constant block that follows from shapes or attributes; 64-byte aligned."""
        ...

    def scratch(self, nbytes: int) -> Ref:
        """Memory of this node's own, undefined at the start of its first row, dead after its last; 64-byte aligned."""
        ...

    def apart(self, nbytes: int) -> Ref:
        """Scratch for the next row: `nbytes` or more for each thread, `Ref.stride` from one's to the next one's. Each
        finds its own at the same place for all rows, where no other core's cache holds it; 64-byte aligned."""
        ...

    def row(self, kernel: Kernel, **values: "int | float | Ref | Stride | Kernel") -> None:
        """One row: a value for each field. Rows run in order, all threads meeting after each.

        "addr" fields take a Ref, or 0 where the kernel allows none; "code" fields a Kernel or 0.
        """
        ...


@dataclass(frozen=True)
class Request:
    """A node that wants kernels. All shapes are static.

    values   the arrays of constant inputs, None for the others
    layouts  the layout in which each input exists already (None for absent and constant inputs)
    """

    node: Node
    inputs: Sequence[TensorSpec | None]
    outputs: Sequence[TensorSpec]
    values: Sequence[np.ndarray | None]
    layouts: Sequence[Layout | None]
    target: Any
    threads: int = 1

    @property
    def op(self) -> Any:
        return self.node.op


@dataclass(frozen=True)
class Choice:
    """One way to compute a node.

    inputs    layout wanted for each input; None: not read at run time (absent, or packed through `weights`)
    output    layout of all outputs
    time_s    predicted seconds on one thread, reorders excluded
    reason    for people: why this prediction
    emit      writes the rows
    in_place  index of the input whose memory the output may take over, element by element
    view      index of the input that the output is, byte for byte: nothing runs
    macs      multiply-adds that the algorithm does, those of tiles beyond the output included; None: as many as the
              operator's definition
    parts     byte offset in the output where each input stands, whole (a concat); the planner may let inputs be
              computed there, and tells `emit` through `Emitter.placed`
    variant   tile and block, where the algorithm has several for the same layouts; they change no bit of the result
    """

    algorithm: str
    inputs: Sequence[Layout | None]
    output: Layout
    time_s: float
    reason: str
    emit: Callable[[Emitter], None]
    in_place: int | None = None
    view: int | None = None
    parts: Sequence[int] | None = None
    macs: int | None = None
    variant: str = ""

    @property
    def name(self) -> str:
        """Tells it apart from all other choices of a request, in any process."""
        read = " + ".join(layout for layout in self.inputs if layout)
        return f"{' '.join(filter(None, (self.algorithm, self.variant)))}: {read} to {self.output}"

    def computes_as(self, other: "Choice") -> bool:
        """Whether the results are the same, bit by bit."""
        mine, theirs = ((c.algorithm, tuple(c.inputs), c.output) for c in (self, other))
        return mine == theirs


Lowering = Callable[[Request], Iterable[Choice]]
LOWERINGS: dict[tuple[Platform, str], list[Lowering]] = {}


def lowers(*kinds: str, on: Platform = "cpu") -> Callable[[Lowering], Lowering]:
    """Registers a function that offers choices for these operators; it offers none where it does not apply."""

    def register(function: Lowering) -> Lowering:
        for kind in kinds:
            LOWERINGS.setdefault((on, kind), []).append(function)
        return function

    return register


def blocks(channels: int, lanes: int) -> int:
    return -(-channels // lanes)


def blocked_size(shape: Sequence[int], lanes: int) -> int:
    """Elements of a tensor [n, c, *spatial] in the blocked layout."""
    n, c, *spatial = shape
    return n * blocks(c, lanes) * int(np.prod(spatial, dtype=np.int64)) * lanes


def can_block(spec: TensorSpec | None) -> bool:
    return spec is not None and spec.dtype == np.float32 and spec.rank in (3, 4)


def to_blocked(x: np.ndarray, lanes: int) -> np.ndarray:
    """[n, c, *spatial] -> [n, blocks, *spatial, lanes], zeros behind the last channel."""
    n, c, *spatial = x.shape
    padded = np.zeros((n, blocks(c, lanes) * lanes, *spatial), np.float32)
    padded[:, :c] = x
    return np.ascontiguousarray(np.moveaxis(padded.reshape(n, blocks(c, lanes), lanes, *spatial), 2, -1))


def from_blocked(x: np.ndarray, shape: Sequence[int], lanes: int) -> np.ndarray:
    n, c, *spatial = shape
    blocked = x.reshape(n, blocks(c, lanes), *spatial, lanes)
    return np.ascontiguousarray(np.moveaxis(blocked, -1, 2).reshape(n, blocks(c, lanes) * lanes, *spatial)[:, :c])
