"""Functions of several tensors on CUDA kernels: every pattern of broadcasting, against the float64 reference."""

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from tests.cases.broadcast import OPERATORS, PAIRS
from tests.kernels.cuda.harness import Case, case, everywhere, plan, run
from tests.kernels.cuda.touched import check_ranges
from tests.numerics import EXACT, ROUNDING, Level, assert_close
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.ops import REGISTRY, Activation
from tinycnn.ops.op import Op

SMALL = 2200  # elements that the simulator computes in reasonable time
SPECIAL = [0, -0.0, 1, -1, 2, -3, 0.5, np.inf, -np.inf, np.nan, 1e-40, 1e30]


def sample(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape, np.float32)


def check(op: Op, arrays: Sequence[np.ndarray], place: str, level: Level, constants: Iterable[int] = ()) -> None:
    [y] = run(case(op, arrays, constants), place)
    with np.errstate(all="ignore"):
        assert_close(y, op.reference(*arrays)[0], level)


@everywhere
@pytest.mark.parametrize("a, b", PAIRS, ids=str)
def test_broadcasting(a: tuple[int, ...], b: tuple[int, ...], place: str) -> None:
    if place == "simulator" and math.prod(np.broadcast_shapes(a, b)) > SMALL:
        pytest.skip("too large for the simulator")
    arrays = [sample(a, 1), sample(b, 2)]
    check(REGISTRY["Sub"](), arrays, place, ROUNDING(1))
    check(REGISTRY["Sub"](), arrays[::-1], place, ROUNDING(1), constants=[0])
    check(REGISTRY["Sub"](activation=Activation("clamp", -0.5, 0.5)), arrays, place, ROUNDING(1), constants=[1])


@everywhere
@pytest.mark.parametrize("kind", OPERATORS)
def test_functions_and_special_values(kind: str, place: str) -> None:
    a, b = (np.array(v, np.float32) for v in zip(*itertools.product(SPECIAL, SPECIAL), strict=True))
    check(REGISTRY[kind](), [a, b], place, ROUNDING(16 if kind == "Pow" else 1))
    check(REGISTRY[kind](), [np.abs(sample((3, 7, 11), 1)), sample((3, 7, 11), 2)], place, ROUNDING(16))


@everywhere
def test_an_activation_is_fused(place: str) -> None:
    arrays = [sample((2, 19, 3), 1), sample((19, 1), 2)]
    check(REGISTRY["Mul"](activation=Activation("sigmoid")), arrays, place, ROUNDING(8), constants=[1])


@everywhere
@pytest.mark.parametrize("slope", [(19, 1, 1), (), (2, 19, 3, 5), (5,)], ids=str)
def test_prelu(slope: tuple[int, ...], place: str) -> None:
    check(REGISTRY["PRelu"](), [sample((2, 19, 3, 5), 1), sample(slope, 2)], place, ROUNDING(1), constants=[1])


@everywhere
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["Sum", "Mean", "Max", "Min"])
def test_any_number_of_operands(kind: str, count: int, place: str) -> None:
    shapes = [(2, 19, 3, 5), (1, 19, 1, 1), (2, 1, 3, 5), (5,), ()]
    arrays = [sample(shape, i) for i, shape in enumerate(shapes[:count])]
    [y] = run(case(REGISTRY[kind](), arrays), place)
    reference = REGISTRY[kind]().reference(*arrays)[0]
    size = sum(np.abs(a) for a in arrays) + 0 * reference
    assert_close(y, reference, ROUNDING(count + 1) if kind in ("Sum", "Mean") else EXACT, size)


@everywhere
@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, -1.0, 0.0])
def test_powers_to_a_constant(exponent: float, place: str) -> None:
    arrays = [sample((2, 5, 7)), np.array([exponent], np.float32)]
    check(REGISTRY["Pow"](), arrays, place, ROUNDING(16), constants=[1])
    if exponent.is_integer():
        check(REGISTRY["Pow"](), [arrays[0], arrays[1].astype(np.int64)], place, ROUNDING(16), constants=[1])


@everywhere
@pytest.mark.parametrize("kind", ["Add", "Mean"])
def test_results_take_over_the_memory_of_an_operand(kind: str, place: str) -> None:
    x, b = sample((2, 5, 3, 7), 1), sample((5, 1, 1), 2)
    spec, relu, op = TensorSpec.of(x), REGISTRY["Relu"](), REGISTRY[kind]()
    nodes = (Node(relu, ("x",), ("r",), "relu"), Node(op, ("b", "r"), ("y",), "node"))
    graph = Graph({"x": spec}, ("y",), nodes, {"b": b}, {"x": spec, "r": spec, "y": spec})
    c = Case(graph, {"x": x})
    assert sum(buffer.weights is None for buffer in plan(c, place).buffers) == 2
    [y] = run(c, place)
    assert_close(y, op.reference(b, relu.reference(x)[0])[0], ROUNDING(3))


ROWS = [[(2, 3, 5), (2, 3, 5)], [(2, 3, 5), ()], [(2, 3, 5), (3, 1)], [(2, 1, 3, 1, 2, 1), (1, 5, 1, 3, 1, 4)]]


@pytest.mark.cudasim
@pytest.mark.parametrize("shapes", ROWS, ids=str)
def test_rows_touch_what_they_declare(shapes: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    c = case(REGISTRY["Add"](), [sample(shape) for shape in shapes])
    assert check_ranges(plan(c), monkeypatch) > 5


@pytest.mark.gpu
@pytest.mark.parametrize(
    "a, b",
    [((8, 256, 56, 56), (8, 256, 56, 56)), ((64, 512, 7, 7), (512, 1, 1)), ((3, 1, 1000), (700, 1))],
    ids=str,
)
def test_large(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    check(REGISTRY["Add"](), [sample(a, 1), sample(b, 2)], "gpu", ROUNDING(1))
