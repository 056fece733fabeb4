"""Stands for `cuda.bindings.driver`: every call succeeds and is remembered, but those that shall answer otherwise."""

import itertools
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

MAJOR, MINOR, MULTIPROCESSORS = (
    f"CU_DEVICE_ATTRIBUTE_{name}"
    for name in ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT")
)


class NullDriver:
    """answers: what calls return after their status, or an exception that they raise; for attributes by their names.

    fails  call -> the status that it returns
    calls  (call, its arguments), in order
    gave   (call, its answer) of those that succeeded
    owned  what was created or allocated, and not destroyed or freed
    """

    CUresult = SimpleNamespace(CUDA_SUCCESS=0, CUDA_ERROR_OUT_OF_MEMORY=2)
    CUdevice_attribute = SimpleNamespace(**{name: name for name in (MAJOR, MINOR, MULTIPROCESSORS)})
    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUmemorytype = SimpleNamespace(CU_MEMORYTYPE_HOST="host", CU_MEMORYTYPE_DEVICE="device")
    CUDA_KERNEL_NODE_PARAMS = CUDA_MEMCPY3D = SimpleNamespace

    def __init__(self, **answers: Any):
        self.answers: dict[str, Any] = {
            "cuDeviceGetCount": 1, "cuDeviceGetName": b"Toy 1\0", "cuGetErrorName": b"CUDA_ERROR", MAJOR: 9, MINOR: 0,
            "cuGetErrorString": b"what went wrong", MULTIPROCESSORS: 132, "cuMemGetInfo": (1000, 2000), **answers,
        }  # fmt: skip
        self.fails: dict[str, int] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.gave: list[Any] = []
        self.owned: set[Any] = set()
        self.handles = itertools.count(1 << 20)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> tuple[Any, ...]:
            self.calls.append((name, args))
            answer = self.answers.get(args[0] if name == "cuDeviceGetAttribute" else name)
            if isinstance(answer, Exception):
                raise answer
            if name in self.fails:
                return self.fails[name], *(None,) * ("Alloc" in name)
            if name.endswith(("Destroy", "Free", "FreeHost")):
                self.owned.remove(args[0])
                return (0,)
            if answer is None:
                answer = next(self.handles)
            if name.endswith(("Create", "Instantiate", "Alloc", "AllocHost")):
                self.owned.add(answer)
            self.gave.append((name, answer))
            return 0, *(answer if isinstance(answer, tuple) else (answer,))

        return call

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As the package that numba-cuda brings, whether it is there or not."""
        bindings = ModuleType("cuda.bindings")
        bindings.driver = self  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
        monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
        monkeypatch.setitem(sys.modules, "cuda.bindings.driver", self)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]
