"""The fields of every operator against the schemas of ONNX: same names, same defaults."""

import dataclasses
import inspect

import numpy as np
import onnx
import pytest

from tinycnn.ops import REGISTRY

OPSET = 28
OWN_OPERATORS = {"ChannelShuffle", "ExpandedConv", "FakeQuantize", "IntegerConv", "IntegerGemm", "ScaleShift"}
OWN_FIELDS = {"activation", "indices"}


every_kind = pytest.mark.parametrize(
    "kind", sorted(k for k, c in REGISTRY.items() if c.__module__.startswith("tinycnn.ops."))
)


@every_kind
def test_fields_are_the_attributes_of_onnx(kind: str) -> None:
    if kind in OWN_OPERATORS:
        with pytest.raises(onnx.defs.SchemaError):
            onnx.defs.get_schema(kind, OPSET)
        return
    attributes = onnx.defs.get_schema(kind, OPSET).attributes
    for f in dataclasses.fields(REGISTRY[kind]):
        if f.name in OWN_FIELDS:
            continue
        assert f.name in attributes
        default = attributes[f.name].default_value
        if default.name:
            value = onnx.helper.get_attribute_value(default)
            value = onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
            assert f.default == (
                value.decode() if isinstance(value, bytes) else pytest.approx(np.asarray(value).item())
            )


@every_kind
def test_every_annotated_attribute_is_a_frozen_field(kind: str) -> None:
    """An operator that is no dataclass itself declares no attribute, which would be none of its fields."""
    operator = REGISTRY[kind]
    names = [name for name, of in inspect.get_annotations(operator).items() if "ClassVar" not in str(of)]
    assert set(names) <= {f.name for f in dataclasses.fields(operator)}
    assert names == [] or "__dataclass_fields__" in vars(operator)
    for f in dataclasses.fields(operator):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(operator.__new__(operator), f.name, None)
