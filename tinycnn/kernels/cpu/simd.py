"""Vectors as a Numba type, and the LLVM instructions on them.

`Vector[lanes]` is one SIMD register of f32. Addresses are integers in bytes; nothing here checks them. Numba and
llvmlite are imported by importing this module, so kernels do so inside `build`.
"""

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

F32, I1, I8, I32, I64 = ir.FloatType(), ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
f32, intp = types.float32, types.intp

BARE = {"error_model": "numpy", "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
jit = njit(**BARE)
inline = njit(**BARE, forceinline=True)


class VectorType(types.Type):
    def __init__(self, lanes: int):
        self.lanes = lanes
        super().__init__(name=f"Vector[{lanes}]")


@register_model(VectorType)
class VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, t: VectorType):
        super().__init__(manager, t, ir.VectorType(F32, t.lanes))


def llvm_type(lanes: int) -> ir.VectorType:
    return ir.VectorType(F32, lanes)


def llvm_call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """An LLVM intrinsic by name: llvmlite's `declare_intrinsic` does not know vector types."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def fma_ir(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return llvm_call(builder, f"llvm.fmuladd.v{a.type.count}f32", a.type, [a, b, c])


def constant_ir(lanes: int, value: float) -> Any:
    return ir.Constant(llvm_type(lanes), [float(value)] * lanes)


def splat_ir(builder: Any, scalar: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))


def offset_ir(builder: Any, address: Any, stride: Any, count: int) -> Any:
    return builder.add(address, builder.mul(stride, ir.Constant(I64, count))) if count else address


def load_ir(builder: Any, address: Any, kind: Any) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 4
    return value


def store_ir(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 4


def void(context: Any) -> Any:
    return context.get_dummy_value()


def same(*vectors: Any) -> bool:
    return all(isinstance(v, VectorType) and v == vectors[0] for v in vectors)


def register_operator(function: Callable[..., Any], instruction: str) -> None:
    @infer_global(function)
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(args[0], *args) if len(args) == 2 and same(*args) else None

    @lower_builtin(function, VectorType, VectorType)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


for function, instruction in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv"),
):  # fmt: skip
    register_operator(function, instruction)


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, fused where the processor can."""
    if not same(a, b, c):
        return None
    return a(a, b, c), lambda context, builder, sig, args: fma_ir(builder, *args)


def unary(name: str) -> Callable[..., Any]:
    @intrinsic
    def apply(typingctx, x):
        def codegen(context, builder, sig, args):
            return llvm_call(builder, f"llvm.{name}.v{x.lanes}f32", args[0].type, list(args))

        return (x(x), codegen) if same(x) else None

    return apply


sqrt, fabs, floor, ceil, rint, trunc = (unary(n) for n in ("sqrt", "fabs", "floor", "ceil", "rint", "trunc"))


def compare_select(condition: str) -> Callable[..., Any]:
    @intrinsic
    def apply(typingctx, a, b, x, y):
        def codegen(context, builder, sig, args):
            return builder.select(builder.fcmp_ordered(condition, args[0], args[1]), args[2], args[3])

        return (x(a, b, x, y), codegen) if same(a, b, x, y) else None

    return apply


# where_lt(a, b, x, y): per lane, x if a < b else y; a NaN in a or b chooses y.
where_lt, where_le, where_eq = (compare_select(c) for c in ("<", "<=", "=="))


def bound(condition: str) -> Callable[..., Any]:
    @intrinsic
    def apply(typingctx, limit, x):
        def codegen(context, builder, sig, args):
            limit, x = args
            return builder.select(builder.fcmp_ordered(condition, limit, x), limit, x)

        return (x(limit, x), codegen) if same(limit, x) else None

    return apply


# at_least(lo, x): max(lo, x), a NaN in x stays; at_most(hi, x): min(hi, x). One instruction each.
at_least, at_most = bound(">"), bound("<")


@intrinsic
def power_of_two(typingctx, n):
    """2^n for integral n in [-126, 127], by its bits."""
    if not same(n):
        return None

    def codegen(context, builder, sig, args):
        ints = ir.VectorType(I32, n.lanes)
        k = builder.fptosi(args[0], ints)
        biased = builder.add(k, ir.Constant(ints, [127] * n.lanes))
        return builder.bitcast(builder.shl(biased, ir.Constant(ints, [23] * n.lanes)), args[0].type)

    return n(n), codegen


@intrinsic
def scale(typingctx, x, n):
    """x * 2^n for integral n in [-252, 254], rounded once: in two steps, as 2^n itself may be no f32."""
    if not same(x, n):
        return None

    def codegen(context, builder, sig, args):
        x, n = args
        ints = ir.VectorType(I32, sig.args[0].lanes)
        k = builder.fptosi(n, ints)
        half = builder.ashr(k, ir.Constant(ints, [1] * ints.count))
        for part in (half, builder.sub(k, half)):
            biased = builder.add(part, ir.Constant(ints, [127] * ints.count))
            x = builder.fmul(x, builder.bitcast(builder.shl(biased, ir.Constant(ints, [23] * ints.count)), x.type))
        return x

    return x(x, n), codegen


SQRT_HALF_BITS = 0x3F3504F3


def split(part: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    @intrinsic
    def apply(typingctx, x):
        def codegen(context, builder, sig, args):
            ints = ir.VectorType(I32, x.lanes)
            bits = builder.bitcast(args[0], ints)
            above = builder.sub(bits, ir.Constant(ints, [SQRT_HALF_BITS] * x.lanes))
            e = builder.ashr(above, ir.Constant(ints, [23] * x.lanes))
            return part(builder, bits, e)

        return (x(x), codegen) if same(x) else None

    return apply


def mantissa_ir(builder: Any, bits: Any, e: Any) -> Any:
    shifted = builder.shl(e, ir.Constant(e.type, [23] * e.type.count))
    return builder.bitcast(builder.sub(bits, shifted), llvm_type(e.type.count))


# x = mantissa(x) * 2^exponent(x) with the mantissa in [sqrt(1/2), sqrt(2)), for positive normal x.
exponent = split(lambda builder, bits, e: builder.sitofp(e, llvm_type(e.type.count)))
mantissa = split(mantissa_ir)


def polynomial(*coefficients: float) -> Callable[..., Any]:
    """x -> c0 + c1 x + c2 x^2 + ..., by Horner's rule."""

    @intrinsic
    def evaluate(typingctx, x):
        def codegen(context, builder, sig, args):
            *rest, y = (constant_ir(x.lanes, c) for c in coefficients)
            for c in reversed(rest):
                y = fma_ir(builder, y, args[0], c)
            return y

        return (x(x), codegen) if same(x) else None

    return evaluate


@intrinsic
def store(typingctx, address, value):
    if not same(value):
        return None

    def codegen(context, builder, sig, args):
        store_ir(builder, args[1], args[0])
        return void(context)

    return types.void(intp, value), codegen


def tail_mask(builder: Any, count: Any, lanes: int) -> Any:
    """Lane i is on where i < count."""
    wide = ir.VectorType(I64, lanes)
    index = ir.Constant(wide, list(range(lanes)))
    return builder.icmp_signed("<", index, splat_ir(builder, count, lanes))


def masked_store_ir(builder: Any, value: Any, address: Any, count: Any) -> None:
    lanes, pointer = value.type.count, builder.inttoptr(address, value.type.as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, I32, ir.VectorType(I1, lanes)])
    f = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{lanes}f32.p0")
    builder.call(f, [value, pointer, ir.Constant(I32, 4), tail_mask(builder, count, lanes)])


@intrinsic
def store_part(typingctx, address, count, value):
    """Stores the first `count` lanes; touches no byte beyond them."""
    if not same(value):
        return None

    def codegen(context, builder, sig, args):
        masked_store_ir(builder, args[2], args[0], args[1])
        return void(context)

    return types.void(intp, intp, value), codegen


def extreme_ir(builder: Any, condition: str, a: Any, b: Any) -> Any:
    """The greater or lesser of two; a NaN in either stays."""
    ordered = builder.select(builder.fcmp_ordered(condition, a, b), a, b)
    return builder.select(builder.fcmp_unordered("uno", a, a), a, ordered)


def fold(name: str, codegen_pair: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """A tree over the lanes: fixed order, so the same result every time."""

    @intrinsic
    def reduce(typingctx, x):
        def codegen(context, builder, sig, args):
            value, lanes = args[0], x.lanes
            while lanes > 1:
                half = lanes // 2
                undefined = ir.Constant(value.type, ir.Undefined)
                mask = [ir.Constant(ir.VectorType(I32, half), [i + s for i in range(half)]) for s in (0, half)]
                low, high = (builder.shuffle_vector(value, undefined, m) for m in mask)
                value, lanes = codegen_pair(builder, low, high), half
            return builder.extract_element(value, ir.Constant(I32, 0))

        return (f32(x), codegen) if same(x) else None

    return reduce


lane_sum = fold("sum", lambda builder, a, b: builder.fadd(a, b))
lane_max = fold("max", lambda builder, a, b: extreme_ir(builder, ">", a, b))
lane_min = fold("min", lambda builder, a, b: extreme_ir(builder, "<", a, b))


def vectors(lanes: int) -> SimpleNamespace:
    """The functions that make vectors; lanes that are not loaded are not touched.

    load(address)
    load_or(address, count, other)        lanes from `count` on are those of `other`
    load_part(address, count)             lanes from `count` on are zeros
    load_behind(address, count, other)    the first `count` lanes are those of `other`
    splat(f32)
    load_splat(address of one f32)
    interleave(a, b)                      a0 b0 a1 b1 ... of the first halves
    """
    vector = VectorType(lanes)
    kind = llvm_type(lanes)

    @intrinsic
    def load(typingctx, address):
        return vector(intp), lambda context, builder, sig, args: load_ir(builder, args[0], kind)

    def merge(behind: bool) -> Callable[..., Any]:
        @intrinsic
        def load(typingctx, address, count, other):
            def codegen(context, builder, sig, args):
                pointer = builder.inttoptr(args[0], kind.as_pointer())
                shape = ir.FunctionType(kind, [pointer.type, I32, ir.VectorType(I1, lanes), kind])
                f = cgutils.get_or_insert_function(builder.module, shape, f"llvm.masked.load.v{lanes}f32.p0")
                mask = tail_mask(builder, args[1], lanes)
                return builder.call(f, [pointer, ir.Constant(I32, 4), builder.not_(mask) if behind else mask, args[2]])

            return (vector(intp, intp, vector), codegen) if other == vector else None

        return load

    load_or, load_behind = merge(False), merge(True)

    @intrinsic
    def interleave(typingctx, a, b):
        def codegen(context, builder, sig, args):
            return shuffle_ir(builder, *args, [i + side for i in range(lanes // 2) for side in (0, lanes)])

        return (vector(vector, vector), codegen) if a == b == vector else None

    @inline
    def load_part(address, count):
        return load_or(address, count, splat(0.0))

    @intrinsic
    def splat(typingctx, x):
        def codegen(context, builder, sig, args):
            return splat_ir(builder, context.cast(builder, args[0], sig.args[0], f32), lanes)

        return vector(x), codegen

    @intrinsic
    def load_splat(typingctx, address):
        return vector(intp), lambda context, builder, sig, args: splat_ir(
            builder, load_ir(builder, args[0], F32), lanes
        )

    return SimpleNamespace(
        load=load, load_or=load_or, load_part=load_part, load_behind=load_behind, splat=splat, load_splat=load_splat,
        interleave=interleave, lanes=lanes,
    )  # fmt: skip


def scalar(numba_type: Any, llvm: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    @intrinsic
    def load(typingctx, address):
        return numba_type(intp), lambda context, builder, sig, args: load_ir(builder, args[0], llvm)

    @intrinsic
    def store(typingctx, address, value):
        def codegen(context, builder, sig, args):
            store_ir(builder, args[1], args[0])
            return void(context)

        return types.void(intp, numba_type), codegen

    return load, store


load_f32, store_f32 = scalar(f32, F32)
load_i64, store_i64 = scalar(intp, I64)


@intrinsic
def call(typingctx, code, a, b, c):
    """Calls the entry at address `code`, a `void(i64, i64, i64)`."""

    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(ir.VoidType(), [I64] * 3)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return void(context)

    return types.void(intp, intp, intp, intp), codegen


def prefetcher(locality: int, writes: int = 0) -> Callable[..., Any]:
    @intrinsic
    def apply(typingctx, address):
        """Asks for the cache line at `address`; never faults."""

        def codegen(context, builder, sig, args):
            pointer = builder.inttoptr(args[0], I8.as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
            f = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            builder.call(f, [pointer, *(ir.Constant(I32, v) for v in (writes, locality, 1))])
            return void(context)

        return types.void(intp), codegen

    return apply


# Into the first level of cache, and into the second only.
prefetch, prefetch_l2, prefetch_write = prefetcher(3), prefetcher(2), prefetcher(3, 1)


def shuffle_ir(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(order)), order))
