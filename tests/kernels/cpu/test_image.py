"""Machine code that was laid out once runs as LLVM's linker would have it; what cannot be laid out is left to that."""

import ctypes
import platform
import re
import struct
import sys

import numpy as np
import pytest

from tinycnn.kernels.cpu import image, isa, native, softmax
from tinycnn.kernels.kernel import Kernel, Range, fields

ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
HAS_IMAGES = sys.platform == "linux" and platform.machine() == "x86_64"


def build():  # type: ignore[no-untyped-def]
    from tinycnn.kernels.cpu.simd import store_f32

    def choose(to, which, thread, threads):
        value = 0.5
        if which == 1:
            value = 1.25
        elif which == 2:
            value = -3.0
        elif which == 3:
            value = 7.0
        elif which == 4:
            value = 11.5
        store_f32(to, np.float32(value))

    return choose


build.__module__ = softmax.__name__
CHOOSE = Kernel(
    "test_choose__portable", fields("to:addr which"), build, lambda v: [Range("to", 0, 4, True)], "portable"
)


@pytest.fixture(scope="module")
def code() -> bytes:
    return native.emitted(CHOOSE)


def results(address: int) -> list[float]:
    found = np.zeros(1, np.float32)
    told = []
    for which in range(6):
        ENTRY(address)(np.array([found.ctypes.data, which], np.int64).ctypes.data, 0, 1)
        told.append(float(found[0]))
    return told


@pytest.mark.skipif(not HAS_IMAGES, reason="images are for Linux on x86-64")
def test_an_image_runs_as_the_object_does(code: bytes) -> None:
    made = image.make_image(code, CHOOSE.name)
    assert made is not None and image.is_image(made) and not image.is_image(code)
    start, memory = image.load(made)
    assert results(start) == results(native.linked(CHOOSE, code)) == [0.5, 1.25, -3.0, 7.0, 11.5, 0.5]
    assert start % 16 == 0 and len(memory) == len(made) - len(image.MAGIC) - 8


@pytest.mark.skipif(not HAS_IMAGES, reason="images are for Linux on x86-64")
def test_memory_that_runs_cannot_be_written(code: bytes) -> None:
    made = image.make_image(code, CHOOSE.name)
    assert made is not None
    start, _memory = image.load(made)
    [rights] = [
        found[3]
        for found in re.findall(r"^((\w+)-(\w+)) (\S+)", open("/proc/self/maps").read(), re.M)
        if int(found[1], 16) <= start < int(found[2], 16)
    ]
    assert rights == "r-xp"


def changed(code: bytes, what: str) -> bytes:
    data = bytearray(code)
    found = image.sections(code)
    if what == "of another processor":
        struct.pack_into("<H", data, 18, 183)
    elif what == "of another format":
        data[:4] = b"MZ\0\0"
    elif what == "writes to its data":
        table, i = struct.unpack_from("<Q", data, 0x28)[0], next(i for i, s in enumerate(found) if s.is_placed)
        struct.pack_into("<Q", data, table + 64 * i + 8, found[i].flags | image.WRITE)
    else:
        relocated = next(s for s in found if s.kind == image.RELOCATIONS and found[s.info].is_placed)
        offset, kind, number, addend = next(image.relocations(code, relocated))
        kind, number = (kind, 0) if what == "needs a symbol" else (1, number)
        struct.pack_into("<QQq", data, relocated.start, offset, number << 32 | kind, addend)
    return bytes(data)


@pytest.mark.skipif(not HAS_IMAGES, reason="images are for Linux on x86-64")
@pytest.mark.parametrize(
    "what",
    ["of another processor", "of another format", "writes to its data", "needs a symbol", "needs its own address"],
)
def test_what_cannot_be_laid_out_is_no_image(code: bytes, what: str) -> None:
    assert image.make_image(code, CHOOSE.name) is not None
    assert image.make_image(changed(code, what), CHOOSE.name) is None


def test_the_processor_has_what_llvm_says() -> None:
    import llvmlite.binding as llvm

    known = {name for name, present in llvm.get_host_cpu_features().items() if present}
    for variant in isa.ISAS.values():
        assert (variant.needs <= isa.host_features()) == (variant.needs <= known)
