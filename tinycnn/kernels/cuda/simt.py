"""What kernels for CUDA are written in: Numba's `cuda`, and loads and stores at raw addresses.

Each instruction stands here twice: as LLVM code for the device, and as what it means in Python, which Numba's simulator
runs. Addresses are i64; those of shared memory are no global addresses and have instructions of their own.
"""

import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cuda as numba_cuda
from numba.cuda import types
from numba.cuda.core import config

from tinycnn.kernels.cuda.device import Precision
from tinycnn.kernels.cuda.precision import from_words, to_words

SIMULATED = bool(config.ENABLE_CUDASIM)
GLOBAL, SHARED = 1, 3  # address spaces of NVVM
I32, I64, F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()


class Simulated:
    """Numba's `cuda` inside a simulated kernel, for kernels that do not have it as a global of their module."""

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        return getattr(_get_kernel_context(), name)


cuda: Any = Simulated() if SIMULATED else numba_cuda


def inline(function: Callable[..., Any]) -> Any:
    """A function that becomes part of the kernels that call it when Numba reads them; it may return local arrays."""
    return function if SIMULATED else numba_cuda.jit(device=True, inline="always")(function)


def compiled(function: Callable[..., Any]) -> Any:
    """A function that Numba compiles by itself and LLVM inlines: for long ones, of which Numba would make too much."""
    return function if SIMULATED else numba_cuda.jit(device=True, forceinline=True)(function)


def unrolled(count: int, body: Callable[..., Any], *bound: int) -> Any:
    """Function (state) that calls body(*bound, 0, state), ..., body(*bound, count - 1, state), however long it becomes:
    compilers leave long loops rolled, and local arrays stay in registers only where every index is a constant."""
    # Of plain literals Numba would compile the body once each; as numbers LLVM finds them when it inlines.
    calls = (f"    body({', '.join(f'i64({number})' for number in (*bound, i))}, state)" for i in range(count))
    scope: dict[str, Any] = {"body": body, "i64": np.int64}
    exec("\n".join(["def run(state):", *calls]), scope)
    return compiled(scope["run"])


def sequence(functions: Sequence[Callable[..., Any]]) -> Any:
    """Function (state) that calls each of these with the state."""
    scope: dict[str, Any] = {f"f{i}": f for i, f in enumerate(functions)}
    exec("\n".join(["def run(state):", *(f"    {name}(state)" for name in scope)]), scope)
    return compiled(scope["run"])


def instruction(meaning: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """An intrinsic, defined as Numba's are, and what it means in Python."""

    def choose(definition: Callable[..., Any]) -> Any:
        if SIMULATED:
            return meaning
        from numba.cuda.extending import intrinsic

        return intrinsic(definition)

    return choose


def pointer(builder: Any, address: Any, element: ir.Type, space: int) -> Any:
    if space == SHARED:
        address = builder.trunc(address, I32)
    return builder.inttoptr(address, element.as_pointer(space))


def unpack(builder: Any, vector: Any, element: ir.Type, count: int) -> Any:
    """LLVM vector to the array that a tuple of Numba is."""
    array = ir.Constant(ir.ArrayType(element, count), ir.Undefined)
    for i in range(count):
        array = builder.insert_value(array, builder.extract_element(vector, I32(i)), i)
    return array


def pack(builder: Any, array: Any, element: ir.Type, count: int) -> Any:
    vector = ir.Constant(ir.VectorType(element, count), ir.Undefined)
    for i in range(count):
        vector = builder.insert_element(vector, builder.extract_value(array, i), I32(i))
    return vector


def loads(space: int, count: int, kind: str) -> Any:
    """Instruction (address) -> f32, i64, or a tuple of `count` of them, which are aligned together."""
    element, number = {"f32": (F32, types.float32), "i32": (I32, types.int32), "i64": (I64, types.int64)}[kind]
    dtype = np.dtype(kind.replace("f", "float").replace("i", "int"))

    def meaning(address: int) -> Any:
        assert address % (count * dtype.itemsize) == 0, f"{count} x {kind} at {address:#x}"
        values = np.frombuffer(ctypes.string_at(int(address), count * dtype.itemsize), dtype)
        return values[0] if count == 1 else tuple(values)

    @instruction(meaning)
    def load(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            size = count * dtype.itemsize
            if count == 1:
                return builder.load(pointer(builder, args[0], element, space), align=size)
            vector = ir.VectorType(element, count)
            return unpack(builder, builder.load(pointer(builder, args[0], vector, space), align=size), element, count)

        return (number if count == 1 else types.UniTuple(number, count))(types.int64), codegen

    return load


def stores(space: int, count: int, kind: str = "f32") -> Any:
    """Instruction (address, f32) or (address, tuple of `count` f32), which are aligned together; i32 likewise."""
    element, number = {"f32": (F32, types.float32), "i32": (I32, types.int32)}[kind]
    dtype = np.dtype(kind.replace("f", "float").replace("i", "int"))

    def meaning(address: int, value: Any) -> None:
        assert address % (count * dtype.itemsize) == 0, f"{count} x {kind} at {address:#x}"
        with np.errstate(over="ignore"):
            ctypes.memmove(int(address), np.asarray(value, dtype).tobytes(), count * dtype.itemsize)

    @instruction(meaning)
    def store(typingctx: Any, address: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address, value = args
            kept = element if count == 1 else ir.VectorType(element, count)
            value = value if count == 1 else pack(builder, value, element, count)
            builder.store(value, pointer(builder, address, kept, space), align=count * dtype.itemsize)
            return context.get_dummy_value()

        given = number if count == 1 else types.UniTuple(number, count)
        return types.void(types.int64, given), codegen

    return store


load, load2, load4 = (loads(GLOBAL, count, "f32") for count in (1, 2, 4))
load_i32, load_i64, load2_i64 = loads(GLOBAL, 1, "i32"), loads(GLOBAL, 1, "i64"), loads(GLOBAL, 2, "i64")
store, store2, store4 = (stores(GLOBAL, count) for count in (1, 2, 4))
load4_i32 = loads(GLOBAL, 4, "i32")
store_i32 = stores(GLOBAL, 1, "i32")
load_shared, load_shared2, load_shared4 = (loads(SHARED, count, "f32") for count in (1, 2, 4))
load_shared_i32 = loads(SHARED, 1, "i32")
load_shared4_i32 = loads(SHARED, 4, "i32")
store_shared, store_shared2, store_shared4 = (stores(SHARED, count) for count in (1, 2, 4))
store_shared_i32, store_shared4_i32 = stores(SHARED, 1, "i32"), stores(SHARED, 4, "i32")

_allocation = threading.Lock()


@functools.cache
def shared_memory(nbytes: int) -> Any:
    """Instruction () -> address of a block's `nbytes` of shared memory, 16-byte aligned; a kernel may have one."""

    def meaning() -> int:
        manager: Any = threading.current_thread()._manager  # type: ignore[attr-defined]
        with _allocation:
            if not hasattr(manager, "shared_bytes"):
                manager.shared_bytes = np.full(nbytes + 16, 0xFF, np.uint8)
        address: int = manager.shared_bytes.ctypes.data
        return address + -address % 16

    @instruction(meaning)
    def base(typingctx: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            memory = ir.GlobalVariable(builder.module, ir.ArrayType(ir.IntType(8), nbytes), "shared_memory", SHARED)
            memory.align, memory.linkage = 16, "internal"
            memory.initializer = ir.Constant(memory.value_type, ir.Undefined)
            return builder.zext(builder.ptrtoint(memory, I32), I64)

        return types.int64(), codegen

    return base


def unsigned(operation: str, meaning: Callable[[int, int], int]) -> Any:
    """Instruction (i64, i64) -> i64 on numbers below 2^31: 32-bit divisions take a quarter of the time."""

    @instruction(meaning)
    def divide(typingctx: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a, b = (builder.trunc(x, I32) for x in args)
            return builder.zext(getattr(builder, operation)(a, b), I64)

        return types.int64(types.int64, types.int64), codegen

    return divide


over = unsigned("udiv", lambda a, b: int(a) // int(b))
modulo = unsigned("urem", lambda a, b: int(a) % int(b))


@instruction(lambda at, size: 0 <= at < size)
def inside(typingctx: Any, at: Any, size: Any) -> Any:
    """Instruction (i64, i64) -> whether 0 <= at < size, for numbers that fit 32 bits: one comparison, not four."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.icmp_unsigned("<", *(builder.trunc(x, I32) for x in args))

    return types.boolean(types.int64, types.int64), codegen


def inline_assembly(
    builder: Any, text: str, constraints: str, result: ir.Type, args: Any, side_effect: bool = False
) -> Any:
    function = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(ir.InlineAsm(function, text, constraints, side_effect=side_effect), list(args))


def special(register: str, meaning: Callable[[], int]) -> Any:
    """Instruction () -> i64: a special register, read anew. What follows from it is computed where it is needed, and
    takes no register before."""

    @instruction(meaning)
    def read(typingctx: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = inline_assembly(builder, f"mov.u32 $0, %{register};", "=r", I32, args, side_effect=True)
            return builder.zext(value, I64)

        return types.int64(), codegen

    return read


thread_x = special("tid.x", lambda: cuda.threadIdx.x)
block_x, block_y, block_z = (
    special("ctaid.x", lambda: cuda.blockIdx.x),
    special("ctaid.y", lambda: cuda.blockIdx.y),
    special("ctaid.z", lambda: cuda.blockIdx.z),
)


ASYNC = 80  # the least capability that copies to shared memory without registers
COPIES = {4: "cp.async.ca.shared.global [$0], [$1], 4, $2;", 16: "cp.async.cg.shared.global [$0], [$1], 16, $2;"}


@functools.cache
def copy_to_shared(nbytes: int, capability: int) -> Any:
    """Instruction (address in shared memory, address, wanted): 4 or 16 bytes, or zeros where they are not wanted. They
    are there after `commit_copies` and `wait_for_copies`; below ASYNC at once.

    Source: PTX ISA, cp.async.
    """

    def meaning(target: int, source: int, wanted: Any) -> None:
        data = ctypes.string_at(int(source), nbytes) if wanted else bytes(nbytes)
        pending(threading.current_thread())[-1].append((int(target), data))

    @instruction(meaning)
    def copy(typingctx: Any, target: Any, source: Any, wanted: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            target, source, wanted = args
            wanted = builder.trunc(wanted, ir.IntType(1)) if wanted.type.width > 1 else wanted
            if capability >= ASYNC:
                size = builder.select(wanted, I32(nbytes), I32(0))
                given = [builder.trunc(target, I32), source, size]
                inline_assembly(builder, COPIES[nbytes], "r,l,r,~{memory}", ir.VoidType(), given, side_effect=True)
                return context.get_dummy_value()
            kind = F32 if nbytes == 4 else ir.VectorType(F32, 4)
            place, zeros = pointer(builder, target, kind, SHARED), ir.Constant(kind, None)
            with builder.if_else(wanted) as (yes, no):
                with yes:
                    found = builder.load(pointer(builder, source, kind, GLOBAL), align=nbytes)
                    builder.store(found, place, align=nbytes)
                with no:
                    builder.store(zeros, place, align=nbytes)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.boolean), codegen

    return copy


def pending(thread: Any) -> list[list[tuple[int, bytes]]]:
    """In the simulator: the groups of copies of a thread, the last still open."""
    groups: list[list[tuple[int, bytes]]] = thread.__dict__.setdefault("groups_of_copies", [[]])
    return groups


def copies_instruction(text: str, capability: int, meaning: Callable[[], None]) -> Any:
    @instruction(meaning)
    def call(typingctx: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if capability >= ASYNC:
                inline_assembly(builder, text, "~{memory}", ir.VoidType(), [], side_effect=True)
            return context.get_dummy_value()

        return types.void(), codegen

    return call


@functools.cache
def commit_copies(capability: int) -> Any:
    """Instruction (): what this thread has asked to be copied since the last is a group."""

    def meaning() -> None:
        pending(threading.current_thread()).append([])

    return copies_instruction("cp.async.commit_group;", capability, meaning)


@functools.cache
def wait_for_copies(open_groups: int, capability: int) -> Any:
    """Instruction (): waits until all groups of this thread but the last `open_groups` are there."""

    def meaning() -> None:
        groups = pending(threading.current_thread())
        while len(groups) > open_groups + 1:
            for target, data in groups.pop(0):
                ctypes.memmove(target, data, len(data))

    return copies_instruction(f"cp.async.wait_group {open_groups};", capability, meaning)


CONVERT = {
    "tf32": "cvt.rna.tf32.f32 $0, $1;",
    "bf16": "cvt.rn.bf16x2.f32 $0, $2, $1;",
    "f16": "cvt.rn.f16x2.f32 $0, $2, $1;",
}


@functools.cache
def words(precision: Precision) -> Any:
    """Instruction (f32, f32) -> i32 word of tensor cores: both numbers rounded, or in TF32 the first alone.

    Source: PTX ISA, cvt.
    """

    def meaning(low: Any, high: Any) -> Any:
        return to_words(np.array([low] if precision == "tf32" else [low, high], np.float32), precision)[0]

    @instruction(meaning)
    def word(typingctx: Any, low: Any, high: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return inline_assembly(builder, CONVERT[precision], "=r,f,f", I32, args)

        return types.int32(types.float32, types.float32), codegen

    return word


SHAPES = {"tf32": "m16n8k8", "bf16": "m16n8k16", "f16": "m16n8k16"}


@functools.cache
def mma(precision: Precision) -> Any:
    """Instruction (c: 4 f32, a: 4 i32, b: 2 i32) -> 4 f32 of a warp: C[16, 8] + A[16, 8 words] B[8 words, 8].

    In the simulator every thread of the block must come here the same number of times.
    Source: PTX ISA, mma.sync, and its fragments.
    """

    def meaning(*args: Any) -> Any:
        thread: Any = threading.current_thread()
        fragments = thread._manager.__dict__.setdefault("fragments", {})
        fragments[thread.thread_id] = args
        thread.syncthreads()
        lane, first = thread.thread_id % 32, thread.thread_id // 32 * 32
        group, at = lane // 4, lane % 4
        a, b = np.zeros((16, 8), np.int32), np.zeros((8, 8), np.int32)
        for other in range(32):
            _, _, _, _, a0, a1, a2, a3, b0, b1 = fragments[first + other]
            row, col = other // 4, other % 4
            a[row, col], a[row + 8, col], a[row, col + 4], a[row + 8, col + 4] = a0, a1, a2, a3
            b[row, col], b[row, col + 4] = b0, b1
        thread.syncthreads()
        left = from_words(a[[group, group + 8]], precision).astype(np.float64)
        right = from_words(b[[2 * at, 2 * at + 1]], precision).astype(np.float64)
        return tuple(np.float32(c + d) for c, d in zip(args[:4], (left @ right.T).reshape(-1), strict=True))

    @instruction(meaning)
    def multiply_add(
        typingctx: Any, c0: Any, c1: Any, c2: Any, c3: Any, a0: Any, a1: Any, a2: Any, a3: Any, b0: Any, b1: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = "f32." + f"{precision}." * 2 + "f32"
            text = f"mma.sync.aligned.{SHAPES[precision]}.row.col.{kind} "
            text += "{$0,$1,$2,$3},{$8,$9,$10,$11},{$12,$13},{$4,$5,$6,$7};"
            result = ir.LiteralStructType([F32] * 4)
            value = inline_assembly(builder, text, "=f,=f,=f,=f,f,f,f,f,r,r,r,r,r,r", result, args)
            array = ir.Constant(ir.ArrayType(F32, 4), ir.Undefined)
            for i in range(4):
                array = builder.insert_value(array, builder.extract_value(value, i), i)
            return array

        return types.UniTuple(types.float32, 4)(*[types.float32] * 4, *[types.int32] * 6), codegen

    return multiply_add


def matrix(rows: Any) -> Any:
    """Instruction (x, i, step, y, j, stride): y[j + stride * r] = sum of rows[r, k] x[i + step * k], where x and y are
    local arrays of f32 and `rows` a constant matrix. Zeros cost nothing."""

    def meaning(x: Any, i: int, step: int, y: Any, j: int, stride: int) -> None:
        for r, row in enumerate(rows):
            y[j + stride * r] = sum(np.float32(c) * x[i + step * k] for k, c in enumerate(row) if c)

    @instruction(meaning)
    def multiply(typingctx: Any, x: Any, i: Any, step: Any, y: Any, j: Any, stride: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            source, i, step, target, j, stride = args
            source, target = (
                context.make_array(kind)(context, builder, value).data
                for kind, value in ((signature.args[0], source), (signature.args[3], target))
            )

            def element(data: Any, first: Any, pitch: Any, k: int) -> Any:
                return builder.gep(data, [builder.add(first, builder.mul(pitch, I64(k)))])

            vector = [builder.load(element(source, i, step, k)) for k in range(rows.shape[1])]
            for r, row in enumerate(rows):
                total = None
                for c, v in zip(row, vector, strict=True):
                    if c:
                        term = v if c == 1 else builder.fmul(ir.Constant(F32, float(c)), v)
                        total = term if total is None else builder.fadd(total, term)
                builder.store(total, element(target, j, stride, r))
            return context.get_dummy_value()

        return types.void(x, types.int64, types.int64, y, types.int64, types.int64), codegen

    return multiply
