"""What CUDA kernels really touch: every instruction that reads or writes the device's memory is recorded, none is done.

The kernel's function is called for one thread after another, as if no thread needed another's results: addresses follow
from the row's numbers alone. So each slot of a row may be changed at will, and what the kernel then touches compared
with what it declares.
"""

import inspect
import itertools
import math
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinycnn.kernels.cuda import COMPILERS
from tinycnn.kernels.cuda.launch import CudaKernel
from tinycnn.planner.program import Program
from tinycnn.planner.verify import readable

SPACING = 1 << 44  # between the memory of two address fields
MOST_THREADS = 3000  # of a launch whose threads are called in turn
CHANGES: list[Callable[[int], int]] = [
    lambda n: 0, lambda n: 1, lambda n: 2, lambda n: n - 1, lambda n: n + 1, lambda n: 2 * n, lambda n: n // 2,
    lambda n: n + 4, lambda n: n + 16, lambda n: -n,
]  # fmt: skip


class Recorder:
    """Stands for `simt`'s instructions and Numba's `cuda`."""

    def __init__(self, tables: dict[int, np.ndarray]):
        self.tables = tables
        self.touched: dict[tuple[int, bool], list[int]] = {}
        self.threadIdx, self.blockIdx = SimpleNamespace(), SimpleNamespace()
        self.local = SimpleNamespace(array=lambda count, dtype: np.zeros(count, dtype))

    def syncthreads(self) -> None: ...

    def touch(self, address: int, nbytes: int, writes: bool) -> int:
        assert address % min(nbytes, 16) == 0, f"{nbytes} bytes at {address:#x}"
        field, start = divmod(int(address) + SPACING // 2, SPACING)
        start -= SPACING // 2
        low, high = self.touched.get((field, writes), [start, start])
        self.touched[field, writes] = [min(low, start), max(high, start + nbytes)]
        return field

    def load(self, count: int, kind: str) -> Callable[[int], Any]:
        dtype = np.dtype(kind.replace("f", "float").replace("i", "int"))

        def load(address: int) -> Any:
            field = self.touch(address, count * dtype.itemsize, False)
            values = np.zeros(count, dtype)
            if field in self.tables:
                at = int(address) - field * SPACING
                assert at >= 0, "before its table"
                values = self.tables[field].view(np.uint8)[at : at + values.nbytes].view(dtype)
                assert len(values) == count, "beyond its table"
            return values[0] if count == 1 else tuple(values)

        return load

    def store(self, count: int) -> Callable[[int, Any], None]:
        def store(address: int, value: Any) -> None:
            assert np.size(value) == count
            self.touch(address, 4 * count, True)

        return store

    def patches(self) -> dict[str, Any]:
        found: dict[str, Any] = {"cuda": self, "shared_memory": lambda nbytes: lambda: 0}
        for count, suffix in ((1, ""), (2, "2"), (4, "4")):
            found[f"load{suffix}"], found[f"store{suffix}"] = self.load(count, "f32"), self.store(count)
            found |= {f"load{suffix}_i64": self.load(count, "i64"), f"load{suffix}_i32": self.load(count, "i32")}
            found |= {f"store{suffix}_i32": self.store(count)}
            for kind, dtype in (("", np.float32), ("_i32", np.int32)):
                nothing = tuple(np.zeros(count, dtype)) if count > 1 else dtype(0)
                found[f"load_shared{suffix}{kind}"] = lambda address, nothing=nothing: nothing
                found[f"store_shared{suffix}{kind}"] = lambda address, value: None
        return found


def compilers() -> list[ModuleType]:
    from importlib import import_module
    from importlib.util import find_spec

    names = [f"tinycnn.kernels.cuda.{name}" for name in sorted(COMPILERS)]
    return [import_module(name) for name in names if find_spec(name)]


def trace(kernel: CudaKernel, values: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Calls every thread of a launch. `values`: as `ranges` takes them, addresses as 0 or not, tables as arrays."""
    numbers: list[Any] = []
    tables = {}
    for i, f in enumerate(kernel.fields):
        value = getattr(values, f.name)
        if f.kind == "table":
            tables[i + 1] = value
        present = f.kind == "table" or (f.kind == "addr" and value)
        numbers.append(np.float32(0) if f.kind == "f32" else SPACING * (i + 1) if present else int(value))
    recorder = Recorder(tables)
    with monkeypatch.context() as patch:
        for module in compilers():
            for name, instead in recorder.patches().items():
                if hasattr(module, name):
                    patch.setattr(module, name, instead)
        function = kernel.build()
        assert list(inspect.signature(function).parameters) == [f.name for f in kernel.fields]
        for z, y, x in itertools.product(*map(range, reversed(kernel.blocks(values)))):
            vars(recorder.blockIdx).update(x=x, y=y, z=z)
            for thread in range(kernel.threads):
                recorder.threadIdx.x = thread
                with np.errstate(all="ignore"):
                    function(*numbers)
    return recorder


def changed(program: Program, number: int) -> Iterator[tuple[str, SimpleNamespace]]:
    """The row's values as they are, and with each number changed."""
    kernel, row = program.kernels[program.rows[number].kernel], program.rows[number]
    yield "", readable(program, row, "row")
    for f in kernel.fields:
        if f.kind not in ("int", "signed"):
            continue
        for change in CHANGES:
            values = readable(program, row, "row")
            value = change(getattr(values, f.name))
            if value != getattr(values, f.name) and (value >= 0 or f.kind == "signed"):
                setattr(values, f.name, value)
                yield f"{f.name} = {value}", values


def check_ranges(program: Program, monkeypatch: pytest.MonkeyPatch) -> int:
    """Every access of every row, as it is and with every number changed, lies in the ranges that it declares, or they
    refuse the row. Returns how many changed rows were let pass."""
    passed = 0
    for number, row in enumerate(program.rows):
        kernel = program.kernels[row.kernel]
        assert isinstance(kernel, CudaKernel)
        for what, values in changed(program, number):
            try:
                declared = {(r.field, r.writes): r for r in kernel.ranges(values)}
            except (ArithmeticError, LookupError, ValueError):
                assert what, f"{kernel.name}: refused as it is"
                continue
            if math.prod(kernel.blocks(values)) * kernel.threads > MOST_THREADS:
                continue
            passed += bool(what)
            for (field, writes), (start, stop) in trace(kernel, values, monkeypatch).touched.items():
                name, kind = kernel.fields[field - 1].name, kernel.fields[field - 1].kind
                if kind == "table" and not writes:
                    continue
                r = declared.get((name, writes))
                found = f"{kernel.name}, {what}: {'writes' if writes else 'reads'} [{start}, {stop}) of {name}"
                assert r is not None and r.start <= start and stop <= r.stop, f"{found}, not {r}"
    return passed
