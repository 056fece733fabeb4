"""Models whose inputs have no free sizes and one batch, so that every engine gets the same file and feeds."""

from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, ValueInfoProto, helper, numpy_helper

FREE_SIZE = 224


def inputs(graph: GraphProto) -> list[ValueInfoProto]:
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def sizes(value: ValueInfoProto, batch: int) -> list[int]:
    """Its sizes at this batch, which the first of several is; others that are free are `FREE_SIZE`."""
    found = [dim.dim_value or FREE_SIZE for dim in value.type.tensor_type.shape.dim]
    return [batch, *found[1:]] if len(found) > 1 else found


def keep_first_size(graph: GraphProto, batch: int) -> None:
    """Lets reshapes of what is fed take the first size as it comes (0) where they ask for this batch.

    Not sound for every graph, as a size may be the batch's by chance: results must be compared.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    fed = {value.name for value in inputs(graph)}
    for node in graph.node:
        if fed.isdisjoint(node.input):
            continue
        fed.update(node.output)
        if node.op_type == "Reshape" and len(node.input) == 2 and node.input[1] in constants:
            shape = numpy_helper.to_array(constants[node.input[1]]).copy()
            if len(shape) > 1 and shape[0] == batch:
                shape[0] = 0
                name = f"{node.output[0]}/any batch"
                graph.initializer.append(numpy_helper.from_array(shape, name))
                node.input[1] = name


def rebatch(model: ModelProto, batch: int) -> bool:
    """Gives all inputs this batch and no free sizes; False where they have both already."""
    graph = model.graph
    changed = False
    for value in inputs(graph):
        dims = value.type.tensor_type.shape.dim
        wanted = sizes(value, batch)
        if wanted == [dim.dim_value for dim in dims]:
            continue
        changed = True
        if dims[0].dim_value and dims[0].dim_value != wanted[0]:
            keep_first_size(graph, dims[0].dim_value)
        for dim, size in zip(dims, wanted, strict=True):
            dim.dim_value = size
    if changed:
        del graph.value_info[:]
        for value in graph.output:
            if value.HasField("type"):
                value.type.tensor_type.ClearField("shape")
    return changed


def at_batch(path: Path, batch: int, folder: Path) -> Path:
    """The file itself where its inputs have this batch and no free sizes, else a copy in the folder that has."""
    model = onnx.load(path)
    if not rebatch(model, batch):
        return path
    copy = folder / f"batch{batch}.onnx"
    onnx.save(model, copy)
    return copy


def feeds(path: Path) -> list[np.ndarray]:
    """Seeded inputs of a file without free sizes: normal for floats, 0..9 for others."""
    rng = np.random.default_rng(0)
    found = []
    for value in inputs(onnx.load(path, load_external_data=False).graph):
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        is_float = np.issubdtype(dtype, np.floating)
        found.append((rng.standard_normal(shape) if is_float else rng.integers(0, 10, shape)).astype(dtype))
    return found
