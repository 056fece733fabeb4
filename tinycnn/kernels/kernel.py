"""What a kernel is to everybody else: a name, the integers of its row, and the memory that they let it touch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal

FieldKind = Literal["addr", "table", "code", "int", "signed", "f32"]


@dataclass(frozen=True)
class Field:
    """One 8-byte slot of a row.

    kind  "addr": byte address, 0 for none; "table": byte address of packed i64 numbers; "int": i64, not negative;
          "signed": any i64; "f32": f32; "code": entry of a routine, or 0, the address of whose row is in the field of
          the same name with `_args` behind it
    """

    name: str
    kind: FieldKind

    @property
    def is_address(self) -> bool:
        return self.kind in ("addr", "table")


def fields(text: str) -> tuple[Field, ...]:
    """Fields from `"x:addr y:addr count lo:f32"`; without a kind it is "int"."""
    pairs = (item.partition(":") for item in text.split())
    return tuple(Field(name, kind or "int") for name, _, kind in pairs)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Range:
    """Bytes [start, stop) from the address in `field` that a kernel may touch; all threads together.

    per_thread  thread t touches [start, stop) from t * stop bytes behind the address
    """

    field: str
    start: int
    stop: int
    writes: bool = False
    per_thread: bool = False


@dataclass(frozen=True, eq=False)
class Kernel:
    """A compiled routine in the making.

    name     by the grammar {op}[_{algorithm}]_{dtype}[_{layout}][_{rows}x{cols}]__{isa}; also its symbol
    fields   the slots of its row, in the order of the function's parameters
    build    returns the Python function to compile: one parameter a field, then (thread, threads), or for a
             routine that other kernels call, its own last two integers; integers, floats and addresses only
    ranges   row values -> all memory that it may touch; the verifier's proof rests on it, so it holds for any numbers,
             or raises ValueError for those that the kernel cannot take: see `require`. In place of a table's address it
             gets what lies there, i64 [any]; the kernel may read as much of it as `ranges` does
    target   key of the instruction set in `isa.TARGETS` that it is compiled for
    features LLVM's names of what it needs beyond that
    """

    name: str
    fields: tuple[Field, ...]
    build: Callable[[], Callable[..., Any]]
    ranges: Callable[[SimpleNamespace], Iterable[Range]]
    target: str
    features: str = field(default="", kw_only=True)

    @property
    def is_routine(self) -> bool:
        """Whether other kernels call it, on memory that they declare: its row names no memory of its own."""
        return not any(f.is_address for f in self.fields)


def require(condition: bool, what: str) -> None:
    """For `ranges`: raises ValueError where the row's numbers could lead the kernel outside what it declares."""
    if not condition:
        raise ValueError(what)


def require_positive(row: SimpleNamespace, names: str) -> None:
    """For `ranges`: raises ValueError where one of these fields is less than 1."""
    for name in names.split():
        require(getattr(row, name) >= 1, f"{name} is {getattr(row, name)}")
