"""Errors of tinycnn and onnxruntime in f32 against the same network in f64: python bench/errors.py FILE.onnx...

The f64 results come from a copy of the model whose floats are all doubles, run by tinycnn's operators in NumPy. An
error is the greatest difference over the greatest value of an output, the worst of all outputs. Exit status 1 where one
of ours is above LIMIT, or the largest value of an output is at another place.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

sys.path.append(str(Path(__file__).parents[1]))

from bench.engines import LOADERS

LIMIT = 1e-4
F32, F64 = TensorProto.FLOAT, TensorProto.DOUBLE
ENGINES = ("tinycnn", "onnxruntime")


def doubled(tensor: TensorProto) -> TensorProto:
    if tensor.data_type != F32:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)


def in_doubles(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with doubles for floats: constants, what is declared, and casts."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    constants = [doubled(tensor) for tensor in graph.initializer]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == F32:
            value.type.tensor_type.elem_type = F64
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                attribute.t.CopyFrom(doubled(attribute.t))
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == F32:
                attribute.i = F64
    return model


def feeds(model: onnx.ModelProto, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Standard normal numbers; 1 for a first dimension that is not fixed, 224 for another."""
    known = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in known:
            dims = value.type.tensor_type.shape.dim
            shape = [d.dim_value or (224 if i else 1) for i, d in enumerate(dims)]
            yield rng.standard_normal(shape).astype(np.float32)


def errors(file: Path) -> dict[str, tuple[float, bool]]:
    """By engine: the error, and whether the largest value of each output is where it is in f64."""
    import tinycnn

    model = onnx.load(file)
    xs = list(feeds(model, np.random.default_rng(7)))
    exact = tinycnn.InferenceSession(in_doubles(model).SerializeToString())
    names = [value.name for value in exact.get_inputs()]
    wanted = exact.run(None, dict(zip(names, (x.astype(np.float64) for x in xs), strict=True)))
    return {engine: compared(LOADERS[engine](file, 1)(xs)(), wanted) for engine in ENGINES}


def compared(got: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> tuple[float, bool]:
    differences = [
        float(np.abs(y - exact).max() / np.abs(exact).max()) for y, exact in zip(got, wanted, strict=True) if exact.size
    ]
    same = all(np.argmax(y) == np.argmax(exact) for y, exact in zip(got, wanted, strict=True))
    return max(differences), same


def main(files: Sequence[str]) -> int:
    failed = False
    print("| network | tinycnn | onnxruntime | largest at the same place |\n| --- | ---: | ---: | --- |")
    for file in map(Path, files):
        found = errors(file)
        (ours, same), (theirs, _) = (found[engine] for engine in ENGINES)
        print(f"| {file.stem} | {ours:.1e} | {theirs:.1e} | {'yes' if same else 'no'} |", flush=True)
        failed |= ours > LIMIT or not same
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
