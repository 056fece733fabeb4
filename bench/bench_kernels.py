"""Every convolution algorithm on the layers of well-known networks: GFLOP/s, and the share of this machine's peak.

    pytest bench/bench_kernels.py --network resnet50 --benchmark-json=results/kernels.json

Timed are the rows of the convolution alone, on one thread, input and weights in the layout that it asks for.
"""

import sys
from collections.abc import Callable

import numpy as np
import pytest

from bench.peak import peak_gflops
from bench.shapes import Shape
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY
from tinycnn.planner.choose import Options, make_request
from tinycnn.planner.lower import write
from tinycnn.planner.partition import infer_missing
from tinycnn.planner.program import Program
from tinycnn.planner.select import offers
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime.executor_cpu import Context, Executor
from tinycnn.session import ALGORITHMS

# Errors of the least exact algorithm, Winograd F(6x6, 3x3), in roundings of the sum of all magnitudes.
TOLERANCE = 400 * 2.0**-24
SAMPLES = 40


def graph_of(shape: Shape) -> Graph:
    """The convolution between two reorders, so that it can work on the layout that it likes."""
    x, w = shape.arrays()
    op = REGISTRY["Conv"](
        strides=(shape.sh, shape.sw), pads=(shape.pt, shape.pl, shape.pb, shape.pr), dilations=(shape.dh, shape.dw),
        group=shape.g,
    )  # fmt: skip
    node = Node(op, ("x", "w"), ("y",), "conv")
    return infer_missing(Graph({"x": TensorSpec.of(x)}, ("y",), (node,), {"w": w}))


def assert_right(y: np.ndarray, shape: Shape) -> None:
    """Compares a sample of outputs with their sums in float64."""
    x, w = shape.arrays()
    padded = np.pad(x, ((0, 0), (0, 0), (shape.pt, shape.pb), (shape.pl, shape.pr))).astype(np.float64)
    rng = np.random.default_rng(1)
    for n, k, oy, ox in zip(*(rng.integers(0, size, SAMPLES) for size in y.shape), strict=True):
        channels, first = shape.ci // shape.g, k // (shape.co // shape.g) * (shape.ci // shape.g)
        rows = slice(oy * shape.sh, oy * shape.sh + shape.dh * (shape.kh - 1) + 1, shape.dh)
        cols = slice(ox * shape.sw, ox * shape.sw + shape.dw * (shape.kw - 1) + 1, shape.dw)
        products = padded[n, first : first + channels, rows, cols] * w[k]
        assert abs(y[n, k, oy, ox] - products.sum()) <= TOLERANCE * np.abs(products).sum()


def step_alone(program: Program) -> tuple[Executor, Callable[[], object]]:
    """The executor, and a function that walks only the rows of the convolution, not those of reorders."""
    executor = Executor(program)
    context = Context(program, executor.addresses)
    context.inputs[0][:] = np.random.default_rng(0).standard_normal(context.inputs[0].shape, np.float32)
    executor.walk(context.row_address, 0, 1)
    reorders = [program.kernels[row.kernel].name.startswith("reorder") for row in program.rows]
    first = next(i for i, is_reorder in enumerate(reorders) if not is_reorder)
    last = len(reorders) - next(i for i, is_reorder in enumerate(reversed(reorders)) if not is_reorder)
    row = context.row.copy()
    row[0] += 16 * first
    row[1] = last - first
    return executor, lambda: (executor.walk(row.ctypes.data, 0, 1), context)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_convolution(benchmark, shape: Shape, algorithm: str) -> None:  # type: ignore[no-untyped-def]
    graph, target = graph_of(shape), isa.current()
    options = Options(target, 1, {"": algorithm})
    choices = list(offers(make_request(graph, graph.nodes[0], {"x": "plain"}, options)))
    if algorithm not in {choice.algorithm for choice in choices}:
        pytest.skip(f"{algorithm} does not apply")
    program = write(graph, options, WeightStore())
    executor, run = step_alone(program)
    assert_right(executor.run([shape.arrays()[0]])[0], shape)
    benchmark(run)
    median_s = benchmark.stats.stats.median
    gflops = 2e-9 * shape.macs / median_s
    step = next(step for step in program.steps if step.operator == "Conv")
    benchmark.extra_info.update(
        network=shape.network, shape=str(shape), algorithm=algorithm, isa=target.name, kernels=list(step.kernels),
        median_s=median_s, gflops=gflops, peak_share=gflops / peak_gflops(target), predicted_s=step.predicted_s,
        chosen=algorithm == min(choices, key=lambda choice: choice.time_s).algorithm,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
