"""Writing a trained network as ONNX, node by node."""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

OPSET, IR_VERSION = 13, 8

ORDER = ("weight", "bias", "running_mean", "running_var", "ratio")
"""What torch and our modules call an operator's weights, in the order of its ONNX inputs."""


class Writer:
    """Collects the nodes of a network; one called `conv1` reads the model's `conv1.weight`, `conv1.bias` and so on."""

    def __init__(self, model: nn.Module) -> None:
        self.weights = {
            name: t.contiguous().numpy() for name, t in model.state_dict().items() if name.split(".")[-1] in ORDER
        }
        self.nodes: list[onnx.NodeProto] = []

    def add(self, operator: str, name: str, *sources: str, output: str | None = None, **attributes: Any) -> str:
        """A node that reads values, then the weights that bear its name; returns the value it makes."""
        weights = [f"{name}.{part}" for part in ORDER if f"{name}.{part}" in self.weights]
        output = output or name
        self.nodes.append(helper.make_node(operator, [*sources, *weights], [output], name, **attributes))
        return output

    def conv(self, name: str, source: str, stride: int = 1) -> str:
        """A convolution, padded so that stride 1 keeps the size."""
        kernel = self.weights[f"{name}.weight"].shape[2]
        shape = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "strides": [stride] * 2}
        return self.add("Conv", name, source, **shape)

    def model(self, name: str, output: str, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """The checked model: "image" [batch, 3, 32, 32] f32 to `output` [batch, 10] f32."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [tensor("image", ["batch", 3, 32, 32])],
            [tensor(output, ["batch", 10])],
            [numpy_helper.from_array(array, key) for key, array in self.weights.items()],
        )
        opsets = [helper.make_opsetid("", OPSET)]
        proto = helper.make_model(graph, producer_name="tinycnn", ir_version=IR_VERSION, opset_imports=opsets)
        helper.set_model_props(proto, dict(metadata or {}))
        onnx.checker.check_model(proto, full_check=True)
        return proto


def tensor(name: str, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
