"""Arrays that lie on a CUDA device: the user's, read where they are, and results that stay there."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinycnn.errors import FeedError
from tinycnn.ir import TensorSpec

if TYPE_CHECKING:
    from tinycnn.kernels.cuda.driver import Backend

ALIGNMENT = 16  # of arrays that kernels read in whole vectors
DLPACK_DEVICES = (2, 13)  # kDLCUDA and kDLCUDAManaged: DLPack, DLDeviceType


class DeviceArray:
    """A result on the device: for `__cuda_array_interface__` and DLPack; `numpy()` copies it to the host."""

    def __init__(self, backend: "Backend", source: int, spec: TensorSpec):
        self.backend, self.shape, self.dtype, self.nbytes = backend, spec.dims, spec.dtype, spec.nbytes
        self.address = backend.allocate(self.nbytes)
        weakref.finalize(self, backend.free, self.address).atexit = False
        backend.copy("on device", source, self.address, self.nbytes)

    def __repr__(self) -> str:
        return f"DeviceArray({'x'.join(map(str, self.shape))}, {self.dtype.name})"

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (self.address, False), "version": 3}

    def __dlpack__(self, **options: Any) -> Any:
        return view(self).__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return DLPACK_DEVICES[0], self.backend.number

    def numpy(self) -> np.ndarray:
        y = np.empty(self.shape, self.dtype)
        self.backend.copy("to host", self.address, y.ctypes.data, self.nbytes)
        return y


def view(array: Any) -> Any:
    """cuda.core's description of an array; its stream is not waited for: see `Backend.wait`."""
    from cuda.core.utils import StridedMemoryView

    if hasattr(array, "__cuda_array_interface__"):
        return StridedMemoryView.from_cuda_array_interface(array, stream_ptr=-1)
    return StridedMemoryView.from_dlpack(array, stream_ptr=-1)


def is_on_device(value: Any) -> bool:
    """Whether this is an array of a CUDA device, by its interfaces."""
    if isinstance(value, np.ndarray):
        return False
    if hasattr(value, "__cuda_array_interface__"):
        return True
    device = getattr(value, "__dlpack_device__", None)
    return device is not None and device()[0] in DLPACK_DEVICES


def describe(array: Any) -> tuple[tuple[int, ...], np.dtype, int, bool]:
    """Shape, dtype, address, and whether all elements follow one another, of an array on the device."""
    if hasattr(array, "__cuda_array_interface__"):
        told = array.__cuda_array_interface__
        shape, dtype, strides = tuple(told["shape"]), np.dtype(told["typestr"]), told.get("strides")
        address, whole = int(told["data"][0]), told.get("mask") is None
    else:
        found = view(array)
        shape, dtype, address, whole = tuple(found.shape), found.dtype, int(found.ptr), True
        strides = None if found.strides is None else tuple(s * dtype.itemsize for s in found.strides)
    return shape, dtype, address, whole and (strides is None or is_contiguous(shape, strides, dtype.itemsize))


def is_contiguous(shape: Sequence[int], strides: Sequence[int], itemsize: int) -> bool:
    """strides in bytes; that of an axis of one element says nothing."""
    step = itemsize
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size > 1 and stride != step:
            return False
        step *= size
    return True


def address(name: str, array: Any, spec: TensorSpec) -> int:
    """Where kernels can read an array of the device. Raises FeedError where they could not, or would read beyond it."""
    shape, dtype, found, contiguous = describe(array)
    if (shape, dtype) != (spec.dims, spec.dtype):
        raise FeedError(f"input {name!r} takes {spec}, not {TensorSpec(shape, dtype)}")
    if not contiguous or found % ALIGNMENT:
        raise FeedError(
            f"input {name!r}: an array on the device must be contiguous, {ALIGNMENT}-byte aligned and without a mask"
        )
    return found
