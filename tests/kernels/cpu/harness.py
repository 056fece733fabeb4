"""Runs one operator on its kernels without planner and runtime: numpy arrays as buffers, guard zones around them.

Threads run one after another, so a result that depends on the split or a write outside the declared ranges shows.
"""

import ctypes
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from tinycnn.ir import Node, TensorSpec
from tinycnn.ir.memory import OVERREAD
from tinycnn.kernels.cpu import families, isa, native
from tinycnn.kernels.kernel import Kernel
from tinycnn.kernels.lowering import LOWERINGS, Choice, Ref, Request, Stride, blocked_size, from_blocked, to_blocked
from tinycnn.ops.op import Op

GUARD = OVERREAD  # bytes on either side of a buffer
ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def entry(kernel: Kernel) -> Callable[[int, int, int], None]:
    return ENTRY(native.address(kernel))


class Buffer:
    """64-byte aligned bytes between guard zones, all filled with a pattern that reads as NaN."""

    def __init__(self, nbytes: int):
        self.nbytes = nbytes
        self.raw = np.full(nbytes + 2 * GUARD + 64, 0xFF, np.uint8)
        self.start = GUARD + -(self.raw.ctypes.data + GUARD) % 64
        self.address = self.raw.ctypes.data + self.start

    @property
    def data(self) -> np.ndarray:
        return self.raw[self.start : self.start + self.nbytes]

    def f32(self) -> np.ndarray:
        return self.data.view(np.float32)

    def intact(self) -> bool:
        return bool((self.raw[: self.start] == 0xFF).all() and (self.raw[self.start + self.nbytes :] == 0xFF).all())


@dataclass
class ArrayEmitter:
    """An Emitter whose buffers are arrays and whose rows run at once."""

    ins: Sequence[Buffer | None]
    outs: Sequence[Buffer]
    threads: int
    buffers: list[Buffer] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def ref(self, buffer: Buffer) -> Ref:
        self.buffers.append(buffer)
        return Ref(len(self.buffers) - 1)

    def input(self, i: int) -> Ref:
        buffer = self.ins[i]
        assert buffer is not None, f"input {i} was not asked for"
        return self.ref(buffer)

    def output(self, i: int = 0) -> Ref:
        return self.ref(self.outs[i])

    def placed(self, i: int) -> bool:
        return False

    def weights(self, key: str, make: Callable[[], np.ndarray]) -> Ref:
        array = np.ascontiguousarray(make())
        buffer = Buffer(array.nbytes)
        buffer.data[:] = array.reshape(-1).view(np.uint8)
        return self.ref(buffer)

    def table(self, values: np.ndarray) -> Ref:
        return self.weights("table", lambda: values)

    def scratch(self, nbytes: int) -> Ref:
        return self.ref(Buffer(nbytes))

    def apart(self, nbytes: int) -> Ref:
        return self.scratch(-(-nbytes // 64) * 64 * self.threads)

    def row(self, kernel: Kernel, **values: int | float | Ref | Stride | Kernel) -> None:
        assert set(values) == {f.name for f in kernel.fields}, (kernel.name, sorted(values))
        slots = np.zeros(len(kernel.fields), np.int64)
        plain: dict[str, int | float] = {}
        for i, f in enumerate(kernel.fields):
            value = values[f.name]
            if isinstance(value, Stride):
                value = self.buffers[value.buffer].nbytes // self.threads
            if f.kind == "f32":
                slots[i : i + 1].view(np.float32)[0] = value
            elif isinstance(value, Ref):
                slots[i] = self.buffers[value.buffer].address + value.offset
            elif isinstance(value, Kernel):
                slots[i] = native.address(value)
            else:
                slots[i] = value
            plain[f.name] = 0 if isinstance(value, Ref | Kernel) else value
            assert f.kind != "int" or plain[f.name] >= 0, f"{kernel.name}: {f.name} is {plain[f.name]}"
            if isinstance(value, Ref) and f.kind == "addr":
                plain[f.name] = 1 << 40  # nonzero: present
            if isinstance(value, Ref) and f.kind == "table":
                plain[f.name] = self.buffers[value.buffer].data[value.offset :].view(np.int64)
        for r in kernel.ranges(SimpleNamespace(**plain)):
            target = values[r.field]
            assert isinstance(target, Ref), f"{kernel.name}: {r.field} is no address"
            low, high = target.offset + r.start, target.offset + r.stop * (self.threads if r.per_thread else 1)
            size = self.buffers[target.buffer].nbytes
            size += 0 if r.writes else OVERREAD
            assert 0 <= low <= high <= size, f"{kernel.name}: {r.field} [{low}, {high}) of {size}"
        run = entry(kernel)
        for thread in range(self.threads):
            run(slots.ctypes.data, thread, self.threads)
        self.names.append(kernel.name)
        for buffer in self.buffers:
            assert buffer.intact(), f"{kernel.name} wrote outside its buffers"


def request(
    op: Op, arrays: Sequence[np.ndarray | None], constants: Iterable[int], layout: str, target: isa.Isa, threads: int
) -> Request:
    """constants: indices of the inputs that are weights; layout: what the other inputs exist in."""
    constants = set(constants)
    specs = [None if a is None else TensorSpec.of(a) for a in arrays]
    values = [a if i in constants else None for i, a in enumerate(arrays)]
    outputs = op.infer(specs, values)
    assert outputs is not None
    node = Node(
        op,
        tuple("" if a is None else f"x{i}" for i, a in enumerate(arrays)),
        tuple(f"y{i}" for i in range(len(outputs))),
        "node",
    )
    layouts = [None if a is None or i in constants else layout for i, a in enumerate(arrays)]
    return Request(node, specs, outputs, values, layouts, target, threads)  # type: ignore[arg-type]


def choices(r: Request) -> list[Choice]:
    families()
    return [c for lowering in LOWERINGS.get(("cpu", r.node.kind), []) for c in lowering(r)]


def execute(
    r: Request, choice: Choice, arrays: Sequence[np.ndarray | None], threads: int = 1, in_place: bool = False
) -> list[np.ndarray]:
    """Outputs as plain arrays. Pad lanes of blocked inputs hold NaN. in_place: as the choice allows it."""
    lanes = r.target.lanes
    ins: list[Buffer | None] = []
    for array, layout in zip(arrays, choice.inputs, strict=True):
        if array is None or layout is None:
            ins.append(None)
            continue
        if layout == "blocked":
            n, c, *spatial = array.shape
            padded = np.full((n, -(-c // lanes) * lanes, *spatial), np.nan, np.float32)
            padded[:, :c] = array
            array = to_blocked(padded, lanes)
        buffer = Buffer(array.nbytes)
        buffer.data[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        ins.append(buffer)
    sizes = [4 * blocked_size(s.dims, lanes) if choice.output == "blocked" else s.nbytes for s in r.outputs]
    outs = [Buffer(size) for size in sizes]
    if in_place and choice.in_place is not None:
        taken = ins[choice.in_place]
        assert taken is not None and taken.nbytes == sizes[0]
        outs = [taken]
    if choice.view is not None:
        source = ins[choice.view]
        assert source is not None
        outs = [source]
    else:
        choice.emit(ArrayEmitter(ins, outs, threads))
    results = []
    for buffer, spec in zip(outs, r.outputs, strict=True):
        flat = buffer.data.view(spec.dtype)
        results.append(
            from_blocked(flat, spec.dims, lanes) if choice.output == "blocked" else flat.reshape(spec.dims).copy()
        )
    return results


def execute_alike(r: Request, choice: Choice, arrays: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """Outputs that are the same, bit by bit, for one, two and three threads."""
    outputs = execute(r, choice, arrays)
    for threads in (2, 3):
        for y, again in zip(outputs, execute(r, choice, arrays, threads), strict=True):
            np.testing.assert_array_equal(again, y)
    return outputs
