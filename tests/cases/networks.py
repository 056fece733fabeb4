"""The classic networks whose graphs the onnx package holds, with random weights."""

from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
from onnx import ModelProto, numpy_helper

LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"
NAMES = tuple(sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("light_*.onnx")))
# Networks with shortcuts grow by each block: there a batch normalisation brings its branch down by this.
BRANCH = {"shufflenet": 0.5}


def twin(name: str) -> ModelProto:
    """A graph of the onnx package, which makes each weight by a ConstantOfShape, with random ones. What a last Softmax
    reads is an output too, as that could hide much."""
    model = onnx.load(LIGHT / f"light_{name}.onnx")
    graph, rng = model.graph, np.random.default_rng(1)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    norms = {name: role for n in graph.node if n.op_type == "BatchNormalization" for role, name in enumerate(n.input)}
    makers = [n for n in graph.node if n.op_type == "ConstantOfShape"]
    for maker in makers:
        shape, role = constants[maker.input[0]], norms.get(maker.output[0])
        if role in (1, 4):  # scale and variance
            value = rng.uniform(0.7, 1.3, shape) * (BRANCH.get(name, 1) if role == 1 else 1)
        elif len(shape) > 1:
            value = rng.normal(scale=np.sqrt(2 / shape[1:].prod()), size=shape)
        else:
            value = rng.normal(scale=0.1, size=shape)
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), maker.output[0]))
        graph.node.remove(maker)
    known = {tensor.name for tensor in graph.initializer}
    inputs = [i for i in graph.input if i.name not in known]
    del graph.input[:]
    graph.input.extend(inputs)
    if graph.node[-1].op_type == "Softmax":
        graph.output.append(onnx.helper.make_empty_tensor_value_info(graph.node[-1].input[0]))
    model.ir_version = max(model.ir_version, 4)  # from which on weights need not be inputs
    return model
