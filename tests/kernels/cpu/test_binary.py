"""Functions of several tensors: every pattern of broadcasting, against NumPy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.broadcast import OPERATORS, PAIRS
from tests.kernels.cpu.every import outputs, sample
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY, Activation


def check(op, arrays, name, constants=(), rtol=3e-7, expect=True):
    reference = op.reference(*arrays)[0]
    offered = list(outputs(op, arrays, name, constants))
    assert offered or not expect
    for choice, y in offered:
        np.testing.assert_allclose(y, reference, rtol=rtol, atol=1e-38, err_msg=f"{choice.algorithm} {choice.inputs}")
    return {choice.output for choice, _ in offered}


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("a, b", PAIRS, ids=str)
def test_broadcasting(a, b, name):
    arrays = [sample(a, 1), sample(b, 2)]
    check(REGISTRY["Sub"](), arrays, name)
    check(REGISTRY["Sub"](), arrays[::-1], name)
    check(REGISTRY["Sub"](activation=Activation("tanh")), arrays, name, constants=[1], rtol=8e-7)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind", OPERATORS)
def test_functions_and_special_values(kind, name):
    special = np.float32([0, -0.0, 1, -1, 2, -3, 0.5, np.inf, -np.inf, np.nan, 1e-40, 1e30])
    a, b = (np.array(v, np.float32) for v in zip(*itertools.product(special, special), strict=True))
    check(REGISTRY[kind](), [a, b], name, rtol=1e-5 if kind == "Pow" else 1e-7)
    check(REGISTRY[kind](), [np.abs(sample((3, 7, 11), 1)), sample((3, 7, 11), 2)], name, rtol=2e-6)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind", OPERATORS)
def test_clamp_is_fused(kind, name):
    arrays = [np.abs(sample((2, 19, 3, 5), 1)), sample((2, 19, 1, 1), 2)]
    check(REGISTRY[kind](activation=Activation("clamp", 0.0, 0.75)), arrays, name, rtol=1e-6)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("slope", [(19, 1, 1), (1, 19, 1, 1), (), (2, 19, 5, 7), (7,)], ids=str)
def test_prelu(slope, name):
    check(REGISTRY["PRelu"](), [sample((2, 19, 5, 7), 1), sample(slope, 2)], name, constants=[1])
    check(REGISTRY["PRelu"](), [sample((2, 19, 5, 7), 1), sample(slope, 2)], name)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["Sum", "Mean", "Max", "Min"])
def test_any_number_of_operands(kind, count, name):
    shapes = [(2, 19, 5, 7), (1, 19, 1, 1), (2, 1, 5, 7), (7,), ()]
    arrays = [sample(shape, i) for i, shape in enumerate(shapes[:count])]
    reference = REGISTRY[kind]().reference(*arrays)[0]
    size = sum(np.abs(a) for a in arrays) + 0 * reference
    for _, y in outputs(REGISTRY[kind](), arrays, name):
        assert (np.abs(y - reference) <= 2.0**-24 * (count + 1) * size).all()


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, -1.0, 0.0])
def test_powers_to_a_constant(exponent):
    arrays = [sample((2, 5, 7)), np.float32(exponent).reshape(1)]
    check(REGISTRY["Pow"](), arrays, "portable", constants=[1], rtol=2e-6)
    check(REGISTRY["Pow"](), [arrays[0], arrays[1].astype(np.int64)], "portable", constants=[1], rtol=2e-6)


def test_both_layouts_are_offered_where_channels_allow():
    x, scale = sample((2, 19, 5, 7)), sample((2, 19, 1, 1))
    assert check(REGISTRY["Mul"](), [x, scale], "portable") == {"plain", "blocked"}
    assert check(REGISTRY["Mul"](), [x, sample((19, 1, 1))], "portable") == {"plain"}
    assert check(REGISTRY["Mul"](), [x, sample((19, 1, 1))], "portable", constants=[1]) == {"plain", "blocked"}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broadcasting_of_random_shapes(data):
    out = data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 5, 8, 17]), min_size=0, max_size=5))
    shapes = []
    for _ in range(data.draw(st.integers(2, 3))):
        cut = data.draw(st.integers(0, len(out)))
        shapes.append(tuple(1 if data.draw(st.booleans()) else d for d in out[cut:]))
    arrays = [sample(shape, i) for i, shape in enumerate(shapes)]
    constants = [i for i in range(1, len(shapes)) if data.draw(st.booleans())]
    check(REGISTRY["Max"](), arrays, data.draw(st.sampled_from(["portable", isa.current().name])), constants)
