"""Which convolutions the CUDA kernels take, and as what."""

from collections.abc import Iterable

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cuda import conv_im2col
from tinycnn.kernels.cuda.conv_im2col import Product
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, CudaKernel
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers


def product(p: ConvProblem) -> Product:
    """The problem as the matrix product that it is."""
    return Product(
        p.n, p.g, p.ci // p.g, p.h, p.w, p.co // p.g, p.oh, p.ow, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw, p.pt, p.pl
    )  # fmt: skip


def layouts(r: Request) -> list[Layout | None]:
    """Of a Conv's inputs: weights and bias are packed."""
    residual: Layout | None = "plain" if convolution.has_residual(r) else None
    return (["plain", None, None, residual])[: len(r.inputs)]


def fits(p: Product) -> bool:
    return (
        max(p.kh, p.kw) <= conv_im2col.MOST_TAPS
        and p.images * p.groups * max(p.ci * p.h * p.wd, p.co * p.oh * p.ow) < MOST_ELEMENTS
    )


@lowers("Conv", on="cuda")
def im2col(r: Request) -> Iterable[Choice]:
    problem = convolution.problem(r)
    if problem is None or not fits(product(problem)):
        return
    plan = conv_im2col.best(product(problem), r.target)

    def emit(e: Emitter) -> None:
        w, bias = convolution.weights(r)
        p, tile = plan.product, plan.tile
        grouped = w.reshape(p.groups, p.co, p.ci, p.kh, p.kw)
        packed = e.weights(f"im2col {tile} {tile.precision}", lambda: conv_im2col.pack(grouped, tile))
        plan.emit(
            e, e.input(0), packed, e.output(), r.target.name,
            b=0 if bias is None else e.weights("bias", lambda: bias),
            r=e.input(3) if convolution.has_residual(r) else 0,
            activation=r.op.activation,
        )  # fmt: skip

    parts = f", its rows in {plan.splits} parts" if plan.splits > 1 else ""
    yield Choice("im2col", layouts(r), "plain", plan.time_s, f"{plan.tile} tiles{parts}", emit)


def kernels(target: str) -> Iterable[CudaKernel]:
    """All are of other families."""
    return ()
