"""What a graph holds after the import: types, constants, metadata, dropout, control flow, functions, the report."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.converters.onnx_models import draw, kinds, model, run_graph, run_import, run_onnxruntime
from tests.numerics import ROUNDING, assert_close
from tinycnn.converters import load_onnx
from tinycnn.errors import OptionError, UnsupportedModelError
from tinycnn.ir import TensorSpec, text
from tinycnn.ops.cast import Cast

X = draw(2, 3, 4)
FLOAT, HALF, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


def node(kind: str, inputs: str, outputs: str = "y", **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), outputs.split(), f"{kind}_{outputs}", **attributes)


def value(name: str, element: int, *shape: int | str | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def reports(proto: onnx.ModelProto, **options: str) -> list[tuple[str, str, str]]:
    return [(action.operator, action.what, action.detail) for action in load_onnx(proto, **options).report]


def test_text_of_a_small_model() -> None:
    proto = model([node("Clip", "x", "c", min=0.0), node("Add", "c w", "y")], {"x": X}, {"w": draw(4)}, opset=10)
    assert text(load_onnx(proto)) == "\n".join(
        [
            "input x: float32[2x3x4]",
            "constant w: float32[4]",
            "constant c.min: float32[scalar]",
            "c = Clip(x, c.min)",
            "y = Add(c, w)",
            "output y",
        ]
    )


def test_half_precision_is_computed_in_single() -> None:
    w = draw(4, dtype="float16")
    body = [node("Add", "x w", "a"), node("Cast", "a", "b", to=HALF), node("Mul", "b c", "y")]
    proto = model(body, {"x": X.astype("f2")}, {"w": w, "c": np.float16(2)}, element=HALF)
    proto.graph.value_info.append(value("a", HALF, 2, 3, 4))
    graph = load_onnx(proto)
    assert graph.inputs["x"].dtype == np.float16
    assert graph.specs["y"].dtype == np.float16
    assert graph.specs["a"] == TensorSpec.f32(2, 3, 4)
    assert {a.dtype for a in graph.constants.values()} == {np.dtype(np.float32)}
    assert next(n.op for n in graph.nodes if n.kind == "Cast") == Cast(to=FLOAT)
    feeds = {"x": X.astype("f2")}
    for got, wanted in zip(run_graph(graph, feeds), run_onnxruntime(proto, feeds), strict=True):
        assert_close(got, wanted, ROUNDING(4))


def test_double_precision_stays() -> None:
    x = X.astype("f8")
    proto = model([node("Clip", "x", "c"), node("Pow", "c e", "y")], {"x": x}, {"e": np.float64(2)}, element=11)
    (got,) = run_import(proto, {"x": x})
    assert_close(got, x**2)


def test_an_input_with_an_initialiser_is_constant() -> None:
    proto = model([node("Add", "x w")], {"x": X}, {"w": draw(4)})
    proto.graph.input.append(value("w", FLOAT, 4))
    graph = load_onnx(proto)
    assert list(graph.inputs) == ["x"]
    assert list(graph.constants) == ["w"]


def test_sparse_initialisers_are_written_out() -> None:
    proto = model([node("Add", "x w")], {"x": X})
    values, indices = numpy_helper.from_array(np.float32([2, 3]), "w"), numpy_helper.from_array(np.array([1, 3]), "i")
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    np.testing.assert_array_equal(load_onnx(proto).constants["w"], [0, 2, 0, 3])


@pytest.mark.parametrize(
    "declared, expected",
    [
        ([2, 3], (2, 3)),
        (["N", 3], ("N", 3)),
        (["?", 3, "?"], ("x.0", 3, "x.2")),
        (["None", 3], ("x.0", 3)),
        (["N", "N"], ("x.0", "x.1")),
        ([None, -1, 0], ("x.0", "x.1", "x.2")),
        ([], ()),
    ],
    ids=str,
)
def test_sizes_of_inputs(declared: list[int | str | None], expected: tuple[int | str, ...]) -> None:
    proto = model([node("Relu", "x")], {"x": X})
    proto.graph.input[0].CopyFrom(value("x", FLOAT, *declared))
    assert load_onnx(proto).inputs["x"].shape == expected


def test_metadata() -> None:
    proto = model([node("Relu", "x")], {"x": X}, producer_name="maker", producer_version="7", domain="a.b")
    proto.doc_string, proto.model_version, proto.graph.doc_string = "about it", 12, "the graph"
    helper.set_model_props(proto, {"labels": "cat,dog"})
    graph = load_onnx(proto)
    assert graph.name == "g"
    assert graph.metadata == {
        "labels": "cat,dog", "producer_name": "maker", "producer_version": "7", "domain": "a.b",
        "model_version": "12", "description": "about it", "graph_description": "the graph",
    }  # fmt: skip


CONSTANTS: list[tuple[dict[str, object], np.ndarray]] = [
    ({"value": numpy_helper.from_array(np.float32([[1, 2]]))}, np.float32([[1, 2]])),
    ({"value_float": 1.5}, np.array(1.5, np.float32)),
    ({"value_floats": [1.5, 2.0]}, np.float32([1.5, 2])),
    ({"value_int": 3}, np.array(3)),
    ({"value_ints": [3, 4]}, np.array([3, 4])),
    ({"value_string": "a"}, np.array("a", object)),
    ({"value_strings": ["a", "b"]}, np.array(["a", "b"], object)),
    (
        {
            "sparse_value": helper.make_sparse_tensor(
                numpy_helper.from_array(np.float32([5]), "v"), numpy_helper.from_array(np.array([[1, 0]]), "i"), [2, 2]
            )
        },
        np.float32([[0, 0], [5, 0]]),
    ),
]


@pytest.mark.parametrize("attributes, wanted", CONSTANTS, ids=[next(iter(a)) for a, _ in CONSTANTS])
def test_constants_are_no_nodes(attributes: dict[str, object], wanted: np.ndarray) -> None:
    graph = load_onnx(model([helper.make_node("Constant", [], ["y"], "five", **attributes)], {}))
    assert not graph.nodes
    assert graph.constants["y"].dtype == wanted.dtype
    np.testing.assert_array_equal(graph.constants["y"], wanted)
    assert graph.report[0].what == "folded"


class TestDropout:
    def proto(self, opset: int = 13, **metadata: str) -> onnx.ModelProto:
        drop = node("Dropout", "r ratio" if opset >= 12 else "r", "d", **({} if opset >= 12 else {"ratio": 0.75}))
        constants = {"w": draw(4, 5)} | ({"ratio": np.float32(0.75)} if opset >= 12 else {})
        proto = model([node("Relu", "x", "r"), drop, node("MatMul", "d w")], {"x": X}, constants, opset=opset)
        helper.set_model_props(proto, metadata)
        return proto

    @pytest.mark.parametrize("opset", [1, 6, 7, 10, 12, 22])
    def test_is_nothing_by_default(self, opset: int) -> None:
        graph = load_onnx(self.proto(opset))
        assert kinds(graph) == ["Relu", "Identity", "MatMul"]
        (action,) = [action for action in graph.report if action.operator == "Dropout"]
        assert (action.node, action.what) == ("Dropout_d", "removed")

    @pytest.mark.parametrize("opset", [1, 6, 7, 10, 12, 22])
    @pytest.mark.parametrize("option", [True, False], ids=["option", "metadata"])
    def test_scales_when_asked(self, opset: int, option: bool) -> None:
        """p = 1 - 0.75 is the probability to be kept."""
        if option:
            graph = load_onnx(self.proto(opset), dropout="scale")
        else:
            graph = load_onnx(self.proto(opset, **{"tinycnn.dropout": "original"}))
        assert kinds(graph) == ["Relu", "Mul", "MatMul"]
        (got,) = run_graph(graph, {"x": X})
        assert_close(got, (np.maximum(X, 0) * 0.25) @ draw(4, 5), ROUNDING(16), scale=9.0)
        assert ("Dropout", "scaled", "by the keep probability 0.25") in reports(self.proto(opset), dropout="scale")

    def test_the_option_has_two_values(self) -> None:
        with pytest.raises(OptionError, match="'half'"):
            load_onnx(self.proto(), dropout="half")

    def test_training_is_refused(self) -> None:
        body = [node("Dropout", "x ratio training", "y")]
        proto = model(body, {"x": X}, {"ratio": np.float32(0.5), "training": np.bool_(True)}, opset=13)
        with pytest.raises(UnsupportedModelError, match="training_mode.*evaluation mode"):
            load_onnx(proto)


class TestIf:
    def proto(self, condition: bool | None) -> onnx.ModelProto:
        """x + 1 if the condition holds, else Relu(x w) with a constant of its own."""
        inner = numpy_helper.from_array(np.float32([3]), "one")
        then = helper.make_graph([node("Add", "x one", "s")], "then", [], [value("s", FLOAT)], [inner])
        other = helper.make_graph(
            [node("Mul", "x w", "s"), node("Relu", "s", "t")], "else", [], [value("t", FLOAT)], []
        )  # fmt: skip
        body = [node("If", "c", "i", then_branch=then, else_branch=other), node("Neg", "i")]
        constants = {"w": draw(4)} | ({} if condition is None else {"c": np.bool_(condition)})
        feeds = {"x": X} | ({"c": np.array(True)} if condition is None else {})
        return model(body, feeds, constants)

    @pytest.mark.parametrize("condition", [True, False])
    def test_a_constant_condition_chooses_the_branch(self, condition: bool) -> None:
        proto = self.proto(condition)
        graph = load_onnx(proto)
        assert not any(kind.startswith("onnx.") for kind in kinds(graph))
        for got, wanted in zip(run_graph(graph, {"x": X}), run_onnxruntime(proto, {"x": X}), strict=True):
            assert_close(got, wanted)
        assert ("If", "folded", f"to its {'then' if condition else 'else'} branch") in reports(proto)

    @pytest.mark.parametrize("condition", [True, False])
    def test_another_goes_to_the_evaluator_with_what_its_branches_read(self, condition: bool) -> None:
        proto, feeds = self.proto(None), {"x": X, "c": np.array(condition)}
        graph = load_onnx(proto)
        assert kinds(graph) == ["onnx.If", "Neg"]
        assert set(graph.nodes[0].inputs) == {"c", "x", "w"}
        for got, wanted in zip(run_graph(graph, feeds), run_onnxruntime(proto, feeds), strict=True):
            assert_close(got, wanted)


class TestFunctions:
    OPSETS = (helper.make_opsetid("", 13), helper.make_opsetid("own", 1))

    def test_are_written_in_place_of_their_calls(self) -> None:
        """scaled(x, w) = alpha-leaky(x) * w, of an older opset than the model's, called twice and from another."""
        leaky = helper.make_node("LeakyRelu", ["a"], ["t"])
        leaky.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
        inner = helper.make_function(
            "own", "Scaled", ["a", "b"], ["r"], [leaky, node("Mul", "t b", "r")], self.OPSETS, ["slope"],
        )  # fmt: skip
        calls = [
            helper.make_node("Scaled", ["u", "v"], ["p"], domain="own", slope=0.5),
            helper.make_node("Scaled", ["p", "v"], ["q"], domain="own"),
        ]
        outer = helper.make_function("own", "Twice", ["u", "v"], ["q"], calls, self.OPSETS)
        body = [
            helper.make_node("Twice", ["x", "w"], ["s"], "first", domain="own"),
            helper.make_node("Twice", ["s", "w"], ["y"], "second", domain="own"),
        ]
        proto = model(body, {"x": X}, {"w": draw(4)}, domains={"own": 1})
        proto.functions.extend([inner, outer])
        graph = load_onnx(proto)
        assert [kind for kind in kinds(graph) if kind != "Identity"] == ["LeakyRelu", "Mul"] * 4
        for got, wanted in zip(run_graph(graph, {"x": X}), run_onnxruntime(proto, {"x": X}), strict=True):
            assert_close(got, wanted, ROUNDING(8))

    def test_follow_their_own_opset(self) -> None:
        """Softmax of opset 11 inside a model of opset 13 flattens."""
        function = helper.make_function(
            "own", "Old", ["a"], ["r"], [node("Softmax", "a", "r", axis=1)], [helper.make_opsetid("", 11)]
        )
        proto = model([helper.make_node("Old", ["x"], ["y"], domain="own")], {"x": X}, domains={"own": 1})
        proto.functions.append(function)
        (got,) = run_import(proto, {"x": X})
        np.testing.assert_allclose(got.sum((1, 2)), 1, rtol=1e-5)

    def test_inputs_may_be_left_out(self) -> None:
        function = helper.make_function(
            "own", "Bounded", ["a", "low", "high"], ["r"], [node("Clip", "a low high", "r")], self.OPSETS
        )
        body = [helper.make_node("Bounded", ["x", "", "h"], ["y"], domain="own")]
        proto = model(body, {"x": X}, {"h": np.float32(0.1)}, domains={"own": 1})
        proto.functions.append(function)
        (got,) = run_import(proto, {"x": X})
        assert_close(got, np.minimum(X, np.float32(0.1)))


def test_outputs_that_nothing_reads_are_not_computed() -> None:
    body = [node("MaxPool", "x", "y indices", kernel_shape=[2])]
    graph = load_onnx(model(body, {"x": X}))
    assert graph.nodes[0].outputs == ("y",)


def test_every_name_of_a_value_survives() -> None:
    body = [node("Relu", "x", "a"), node("Identity", "a", "b"), node("Dropout", "b", "c"), node("Neg", "c")]
    graph = load_onnx(model(body, {"x": X}))
    assert {"a", "b", "c", "y"} <= graph.producers().keys()


def test_the_report_names_what_was_lifted() -> None:
    body = [node("Upsample", "x scales", "u"), node("Squeeze", "u", "s", axes=[0]), node("Relu", "s")]
    proto = model(body, {"x": X[:1]}, {"scales": np.float32([1, 1, 2])}, opset=9)
    assert reports(proto) == [("Upsample", "lifted", "to Resize"), ("Squeeze", "lifted", "from opset 9")]
