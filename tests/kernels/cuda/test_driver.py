"""What is asked of the NVIDIA driver, and what is said when it is not there or refuses."""

import ctypes
import sys
from typing import Any

import numpy as np
import pytest

from tests.kernels.cuda.null_driver import MAJOR, MINOR, NullDriver
from tinycnn.errors import DeviceError, OptionError
from tinycnn.kernels.cuda import driver
from tinycnn.kernels.cuda.device import PRECISIONS, Device
from tinycnn.kernels.cuda.driver import Copy, Gpu, GraphWork, Launch, Task
from tinycnn.kernels.cuda.launch import cuda_kernel


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices are opened anew in each test."""
    monkeypatch.setattr(driver, "open_gpu", driver.open_gpu.__wrapped__)


@pytest.fixture
def null(monkeypatch: pytest.MonkeyPatch) -> NullDriver:
    found = NullDriver()
    found.install(monkeypatch)
    return found


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(DeviceError, match=r"pip install 'tinycnn\[cuda\]'"):
        driver.open_gpu()


@pytest.mark.parametrize(
    ("answers", "number", "reason"),
    [
        (
            {"cuInit": RuntimeError("libcuda.so.1 is nowhere\nand more")},
            0,
            "cannot be loaded: libcuda.so.1 is nowhere$",
        ),
        ({}, 1, "device 1 does not exist; there are 1"),
        ({}, -1, "device -1 does not exist"),
        ({"cuDeviceGetCount": 0}, 0, "there are 0"),
        ({MAJOR: 7, MINOR: 0}, 0, "Toy 1 has compute capability 7.0; at least 7.5"),
    ],
)
def test_a_device_that_cannot_be_used(
    answers: dict[str, Any], number: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    NullDriver(**answers).install(monkeypatch)
    with pytest.raises(DeviceError, match=reason):
        driver.device(number, "f32")


def test_a_driver_that_finds_no_device(null: NullDriver) -> None:
    null.fails["cuInit"] = 100
    with pytest.raises(DeviceError, match="no usable device: CUDA: CUDA_ERROR: what went wrong"):
        driver.device(0, "f32")


@pytest.mark.parametrize(
    ("capability", "kernels", "precisions"),
    [((7, 5), 75, 1), ((8, 0), 80, 4), ((8, 9), 80, 4), ((9, 0), 90, 4), ((12, 0), 90, 4)],
)
def test_what_kernels_are_compiled_for(
    capability: tuple[int, int], kernels: int, precisions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    NullDriver(**dict(zip((MAJOR, MINOR), capability, strict=True)), cuDeviceGetCount=3).install(monkeypatch)
    for precision in PRECISIONS[:precisions]:
        assert driver.device(2, precision) == Device(kernels, 132, precision, 2)
    for precision in PRECISIONS[precisions:]:
        with pytest.raises(DeviceError, match=f"Toy 1: {precision} needs compute capability 8.0"):
            driver.device(2, precision)


def test_a_precision_that_does_not_exist_needs_no_device_to_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(OptionError, match="'f64': it must be one of f32, tf32, bf16, f16"):
        driver.device(0, "f64")  # type: ignore[arg-type]


def test_memory_that_the_device_does_not_have(null: NullDriver) -> None:
    null.fails["cuMemAlloc"] = null.CUresult.CUDA_ERROR_OUT_OF_MEMORY
    with pytest.raises(DeviceError, match="Toy 1: 5,000 bytes are needed, of 2,000 only 1,000 are free"):
        Gpu(0).allocate(5000)


@pytest.mark.parametrize(
    ("kind", "call"), [("to device", "cuMemcpyHtoD"), ("to host", "cuMemcpyDtoH"), ("on device", "cuMemcpyDtoD")]
)
def test_copies_are_done_when_they_return(kind: str, call: str, null: NullDriver) -> None:
    Gpu(0).copy(kind, 1, 2, 3)
    assert null.calls[-3] == (call, (2, 1, 3))
    assert "cuCtxSynchronize" in null.names()[-2:]


def test_memory_for_staging_lives_as_long_as_its_views(null: NullDriver) -> None:
    block = np.zeros(64, np.uint8)
    null.answers["cuMemAllocHost"] = block.ctypes.data
    memory = Gpu(0).host(64)
    view = memory[:32].view(np.float32)
    assert memory.ctypes.data == block.ctypes.data and memory.nbytes == 64
    del memory
    assert null.owned
    del view
    assert not null.owned


TOY = cuda_kernel("toy", "x:addr n a:f32", lambda: lambda x, n, a: None, lambda v: (), "sm_90", 96, lambda v: (1, 2, 3))


def graph(null: NullDriver) -> GraphWork:
    gpu = Gpu(0)
    gpu.functions[TOY.name] = "loaded"
    slots = np.array([1 << 40, 7, np.float32(1.5).view(np.uint32)], np.int64)
    tasks: list[Task] = [
        Copy((), "to device", 10, 20, 4), Copy((), "on device", 30, 40, 5), Launch((0, 1), TOY, (4, 5, 6), slots),
        Copy((2,), "to host", 50, 60, 6),
    ]  # fmt: skip
    return gpu.work(tasks)


def test_tasks_become_a_graph_that_is_launched_at_once(null: NullDriver) -> None:
    work = graph(null)
    nodes = [(name, args) for name, args in null.calls if name.startswith("cuGraphAdd")]
    assert [name.removeprefix("cuGraphAdd") for name, _ in nodes] == [
        "MemcpyNode", "MemcpyNode", "KernelNode", "MemcpyNode",
    ]  # fmt: skip
    first, second, third, _ = (handle for name, handle in null.gave if name.startswith("cuGraphAdd"))
    assert [args[1:3] for _, args in nodes] == [([], 0), ([], 0), ([first, second], 2), ([third], 1)]
    toy = vars(nodes.pop(2)[1][3])
    values, kinds = toy.pop("kernelParams")
    assert (values, kinds) == ((1 << 40, 7, 1.5), (ctypes.c_int64, ctypes.c_int64, ctypes.c_float))
    grid = {"gridDimX": 4, "gridDimY": 5, "gridDimZ": 6, "blockDimX": 96, "blockDimY": 1, "blockDimZ": 1}
    assert toy == {"func": "loaded", "sharedMemBytes": 0, **grid}
    for (_, args), (source, target, nbytes) in zip(
        nodes, [("Host", "Device", 4), ("Device", "Device", 5), ("Device", "Host", 6)], strict=True
    ):
        told = vars(args[3])
        assert [told["srcMemoryType"], told["dstMemoryType"]] == [source.lower(), target.lower()]
        assert [told[f"src{source}"], told[f"dst{target}"]] in ([10, 20], [30, 40], [50, 60])
        assert [told[key] for key in ("WidthInBytes", "Height", "Depth")] == [nbytes, 1, 1]
    work.run()
    assert [name for name, _ in null.calls[-2:]] == ["cuGraphLaunch", "cuStreamSynchronize"]
    del work
    assert not null.owned


@pytest.mark.parametrize(
    "call", ["cuGraphCreate", "cuGraphAddMemcpyNode", "cuGraphAddKernelNode", "cuGraphInstantiate", "cuStreamCreate"]
)
def test_a_graph_that_cannot_be_made_leaves_nothing_behind(call: str, null: NullDriver) -> None:
    null.fails[call] = 1
    with pytest.raises(DeviceError, match="what went wrong"):
        graph(null)
    assert not null.owned
