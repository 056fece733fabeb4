"""Atomic memory operations and the barrier as Numba functions. Compiles nothing until a kernel is built from it."""

import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinycnn.kernels.cpu.simd import I64, inline, intp, void

PAUSE = {"x86_64": "llvm.x86.sse2.pause", "AMD64": "llvm.x86.sse2.pause"}.get(platform.machine())


def pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, I64.as_pointer())


def read_modify_write(operation: str) -> Callable[..., Any]:
    @intrinsic
    def apply(typingctx, address, value):
        """The old value; sequentially consistent."""

        def codegen(context, builder, sig, args):
            return builder.atomic_rmw(operation, pointer(builder, args[0]), args[1], "seq_cst")

        return intp(intp, intp), codegen

    return apply


atomic_add, atomic_swap = read_modify_write("add"), read_modify_write("xchg")


@intrinsic
def atomic_load(typingctx, address):
    def codegen(context, builder, sig, args):
        return builder.load_atomic(pointer(builder, args[0]), "acquire", 8)

    return intp(intp), codegen


@intrinsic
def atomic_store(typingctx, address, value):
    def codegen(context, builder, sig, args):
        builder.store_atomic(args[1], pointer(builder, args[0]), "release", 8)
        return void(context)

    return types.void(intp, intp), codegen


@intrinsic
def compare_and_swap(typingctx, address, expected, value):
    """1 where the memory held `expected` and now holds `value`, else 0."""

    def codegen(context, builder, sig, args):
        address, expected, value = args
        result = builder.cmpxchg(pointer(builder, address), expected, value, "seq_cst")
        return builder.zext(builder.extract_value(result, 1), I64)

    return intp(intp, intp, intp), codegen


@intrinsic
def pause(typingctx):
    """Tells the processor that this is a spin loop."""

    def codegen(context, builder, sig, args):
        if PAUSE:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, PAUSE), [])
        return void(context)

    return types.void(), codegen


@intrinsic
def call_yield(typingctx, address):
    """Calls the C function `int (void)` at the address: the system's way to let others run."""

    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [])
        return void(context)

    return types.void(intp), codegen


@intrinsic
def call_clock(typingctx, address, kind, to):
    """Calls the C function `int clock_gettime(clockid_t, struct timespec *)` at the address."""

    def codegen(context, builder, sig, args):
        address, kind, to = args
        clock = ir.FunctionType(ir.IntType(32), [ir.IntType(32), I64.as_pointer()])
        builder.call(
            builder.inttoptr(address, clock.as_pointer()),
            [builder.trunc(kind, ir.IntType(32)), pointer(builder, to)],
        )
        return void(context)

    return types.void(intp, intp, intp), codegen


@inline
def meet(barrier, threads, spins, yielder):
    """Waits until `threads` threads are here. barrier: arrivals; 64 bytes on: the generation. After `spins` pauses the
    processor is offered to others."""
    generation = atomic_load(barrier + 64)
    if atomic_add(barrier, 1) == threads - 1:
        atomic_store(barrier, 0)
        atomic_store(barrier + 64, generation + 1)
    else:
        waited = 0
        while atomic_load(barrier + 64) == generation:
            waited += 1
            if waited > spins and yielder != 0:
                call_yield(yielder)
            else:
                pause()
