"""The CUDA device of this process: its memory, the kernels loaded on it, and graphs of work.

Everything here goes through `cuda.bindings`, which numba-cuda brings along; Numba is needed to compile only.
"""

import ctypes
import functools
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tinycnn.errors import DeviceError, OptionError
from tinycnn.kernels.cuda import native
from tinycnn.kernels.cuda.device import CAPABILITIES, PRECISIONS, TENSOR_CORES, Device, Precision
from tinycnn.kernels.cuda.launch import Blocks, CudaKernel


@dataclass(frozen=True)
class Task:
    """One node of a graph of work: it starts when the tasks whose numbers are in `after` are done."""

    after: tuple[int, ...]


@dataclass(frozen=True)
class Copy(Task):
    """`nbytes` from one address to another; `kind` says which of the two are the host's."""

    kind: str  # "to device", "to host" or "on device"
    source: int
    target: int
    nbytes: int


@dataclass(frozen=True)
class Launch(Task):
    """A kernel over a grid. slots: i64 [fields], the arguments, f32 as bits."""

    kernel: CudaKernel
    blocks: Blocks
    slots: np.ndarray


class Work(Protocol):
    """Tasks made ready to run as often as one likes; one run at a time."""

    def run(self) -> None:
        """Returns when all tasks are done. Raises DeviceError when the device reports a fault."""
        ...


class Backend(Protocol):
    """What the executor needs of a device. Numbers are addresses, but for the device's own."""

    number: int

    def allocate(self, nbytes: int) -> int:
        """Raises DeviceError when the device has not as much."""
        ...

    def free(self, address: int) -> None: ...

    def host(self, nbytes: int) -> np.ndarray:
        """u8 [nbytes] of the host's memory that the device copies at full speed."""
        ...

    def copy(self, kind: str, source: int, target: int, nbytes: int) -> None:
        """See `Copy`; returns when it is done."""
        ...

    def wait(self) -> None:
        """Returns when everything that anybody has asked of the device is done."""
        ...

    def work(self, tasks: Sequence[Task]) -> Work: ...


def checked(result: Any) -> Any:
    """The value that a call of the driver returned with its status. Raises DeviceError with the driver's own words."""
    from cuda.bindings import driver as cu

    status, *values = result
    if status != cu.CUresult.CUDA_SUCCESS:
        _, name = cu.cuGetErrorName(status)
        _, text = cu.cuGetErrorString(status)
        name, text = (t.decode() if t else str(status) for t in (name, text))
        raise DeviceError(f"CUDA: {name}: {text}")
    return values[0] if len(values) == 1 else values


class Gpu:
    """A device in use. Contexts are the primary ones, so arrays of other libraries live in the same memory."""

    def __init__(self, number: int):
        from cuda.bindings import driver as cu

        self.cu, self.number = cu, number
        handle = checked(cu.cuDeviceGet(number))
        self.context = checked(cu.cuDevicePrimaryCtxRetain(handle))
        self.title = checked(cu.cuDeviceGetName(128, handle)).split(b"\0")[0].decode()
        attribute = cu.CUdevice_attribute
        major, minor, self.multiprocessors = (
            checked(cu.cuDeviceGetAttribute(key, handle))
            for key in (
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
            )
        )
        self.capability = 10 * major + minor
        self.functions: dict[str, Any] = {}
        self.lock = threading.Lock()

    def enter(self) -> None:
        """The calls of this thread go to this device from now on."""
        checked(self.cu.cuCtxSetCurrent(self.context))

    def allocate(self, nbytes: int) -> int:
        self.enter()
        status, address = self.cu.cuMemAlloc(max(nbytes, 1))
        if status == self.cu.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            free, total = checked(self.cu.cuMemGetInfo())
            raise DeviceError(f"{self.title}: {nbytes:,} bytes are needed, of {total:,} only {free:,} are free")
        checked((status, address))
        return int(address)

    def free(self, address: int) -> None:
        self.release(self.cu.cuMemFree, address)

    def release(self, destroy: Callable[[Any], Any], what: Any) -> None:
        """Memory, a graph or a stream, by the driver's call for it."""
        self.enter()
        checked(destroy(what))

    def host(self, nbytes: int) -> np.ndarray:
        self.enter()
        address = int(checked(self.cu.cuMemAllocHost(max(nbytes, 1))))
        memory: Any = (ctypes.c_uint8 * nbytes).from_address(address)
        weakref.finalize(memory, self.release, self.cu.cuMemFreeHost, address).atexit = False
        return np.frombuffer(memory, np.uint8)

    def copy(self, kind: str, source: int, target: int, nbytes: int) -> None:
        """The driver returns before the last bytes of pageable memory have arrived, and other streams do not wait.

        Source: CUDA Driver API, API synchronization behavior.
        """
        self.enter()
        copy = {"to device": self.cu.cuMemcpyHtoD, "to host": self.cu.cuMemcpyDtoH, "on device": self.cu.cuMemcpyDtoD}
        checked(copy[kind](target, source, nbytes))
        self.wait()

    def wait(self) -> None:
        self.enter()
        checked(self.cu.cuCtxSynchronize())

    def function(self, kernel: CudaKernel) -> Any:
        """The kernel, loaded on this device."""
        with self.lock:
            if kernel.name not in self.functions:
                self.enter()
                module = checked(self.cu.cuModuleLoadData(native.cubin(kernel)))
                self.functions[kernel.name] = checked(self.cu.cuModuleGetFunction(module, kernel.name.encode()))
            return self.functions[kernel.name]

    def work(self, tasks: Sequence[Task]) -> "GraphWork":
        return GraphWork(self, tasks)


class GraphWork:
    """Tasks as a CUDA graph with a stream of its own: one launch for all of them."""

    def __init__(self, gpu: Gpu, tasks: Sequence[Task]):
        cu = gpu.cu
        gpu.enter()
        self.gpu, self.executable = gpu, self.instantiate(gpu, tasks)
        weakref.finalize(self, gpu.release, cu.cuGraphExecDestroy, self.executable).atexit = False
        self.stream = checked(cu.cuStreamCreate(cu.CUstream_flags.CU_STREAM_NON_BLOCKING))
        weakref.finalize(self, gpu.release, cu.cuStreamDestroy, self.stream).atexit = False

    @classmethod
    def instantiate(cls, gpu: Gpu, tasks: Sequence[Task]) -> Any:
        cu = gpu.cu
        graph = checked(cu.cuGraphCreate(0))
        try:
            nodes: list[Any] = []
            for task in tasks:
                after = [nodes[i] for i in task.after]
                if isinstance(task, Launch):
                    parameters = cls.launch(gpu, task)
                    nodes.append(checked(cu.cuGraphAddKernelNode(graph, after, len(after), parameters)))
                elif isinstance(task, Copy):
                    parameters = cls.copy(gpu, task)
                    nodes.append(checked(cu.cuGraphAddMemcpyNode(graph, after, len(after), parameters, gpu.context)))
            return checked(cu.cuGraphInstantiate(graph, 0))
        finally:
            checked(cu.cuGraphDestroy(graph))

    @staticmethod
    def launch(gpu: Gpu, task: Launch) -> Any:
        """The driver copies the arguments when the node is added."""
        parameters = gpu.cu.CUDA_KERNEL_NODE_PARAMS()
        parameters.func = gpu.function(task.kernel)
        parameters.gridDimX, parameters.gridDimY, parameters.gridDimZ = task.blocks
        parameters.blockDimX, parameters.blockDimY, parameters.blockDimZ = task.kernel.threads, 1, 1
        parameters.sharedMemBytes = 0
        kinds = {"f32": ctypes.c_float}
        values = [
            float(slot.view(np.float32)[0]) if f.kind == "f32" else int(slot[0])
            for f, slot in zip(task.kernel.fields, task.slots.reshape(-1, 1), strict=True)
        ]
        parameters.kernelParams = (
            tuple(values), tuple(kinds.get(f.kind, ctypes.c_int64) for f in task.kernel.fields),
        )  # fmt: skip
        return parameters

    @staticmethod
    def copy(gpu: Gpu, task: Copy) -> Any:
        cu = gpu.cu
        host, device = cu.CUmemorytype.CU_MEMORYTYPE_HOST, cu.CUmemorytype.CU_MEMORYTYPE_DEVICE
        parameters = cu.CUDA_MEMCPY3D()
        if task.kind == "to device":
            parameters.srcMemoryType, parameters.srcHost = host, task.source
        else:
            parameters.srcMemoryType, parameters.srcDevice = device, task.source
        if task.kind == "to host":
            parameters.dstMemoryType, parameters.dstHost = host, task.target
        else:
            parameters.dstMemoryType, parameters.dstDevice = device, task.target
        parameters.WidthInBytes, parameters.Height, parameters.Depth = task.nbytes, 1, 1
        return parameters

    def run(self) -> None:
        cu = self.gpu.cu
        self.gpu.enter()
        checked(cu.cuGraphLaunch(self.executable, self.stream))
        checked(cu.cuStreamSynchronize(self.stream))

    def seconds(self, runs: int) -> float:
        """Of one run, on the device's clock: between events around so many of them."""
        cu = self.gpu.cu
        self.gpu.enter()
        before, after = (checked(cu.cuEventCreate(0)) for _ in range(2))
        checked(cu.cuEventRecord(before, self.stream))
        for _ in range(runs):
            checked(cu.cuGraphLaunch(self.executable, self.stream))
        checked(cu.cuEventRecord(after, self.stream))
        checked(cu.cuEventSynchronize(after))
        milliseconds = checked(cu.cuEventElapsedTime(before, after))
        for event in (before, after):
            checked(cu.cuEventDestroy(event))
        return float(milliseconds) * 1e-3 / runs


def device(number: int, precision: Precision) -> Device:
    """What to compile for on this machine's device.

    Raises OptionError for a precision that does not exist, DeviceError for one that the device does not have and for
    the reasons of `open_gpu`.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"precision {precision!r}: it must be one of {', '.join(PRECISIONS)}")
    gpu = open_gpu(number)
    capability = max(c for c in CAPABILITIES if c <= gpu.capability)
    if precision != "f32" and capability < TENSOR_CORES:
        raise DeviceError(f"{gpu.title}: {precision} needs compute capability {TENSOR_CORES / 10}")
    return Device(capability, gpu.multiprocessors, precision, number)


@functools.cache
def open_gpu(number: int = 0) -> Gpu:
    """The device with this number.

    Raises DeviceError that says what is missing: the package, the driver, the device, or its compute capability.
    """
    try:
        from cuda.bindings import driver as cu
    except ImportError:
        raise DeviceError("CUDA needs the package numba-cuda: pip install 'tinycnn[cuda]'") from None
    try:
        checked(cu.cuInit(0))
    except DeviceError as error:
        raise DeviceError(f"the NVIDIA driver finds no usable device: {error}") from None
    except Exception as error:
        raise DeviceError(f"the NVIDIA driver cannot be loaded: {str(error).splitlines()[0]}") from None
    count = checked(cu.cuDeviceGetCount())
    if not 0 <= number < count:
        raise DeviceError(f"CUDA device {number} does not exist; there are {count}")
    gpu = Gpu(number)
    if gpu.capability < CAPABILITIES[0]:
        needed = CAPABILITIES[0] / 10
        raise DeviceError(f"{gpu.title} has compute capability {gpu.capability / 10}; at least {needed} is needed")
    return gpu
