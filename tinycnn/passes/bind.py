"""Gives a graph the shapes of its inputs, and with them the shapes of everything that follows."""

from collections.abc import Iterable, Mapping

import numpy as np

from tinycnn import knobs
from tinycnn.errors import LimitError, ShapeError
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.passes.fold_constants import Folder, infer, known
from tinycnn.passes.rewriter import Rewriter

# What is told of an input: see `bind`.
Shape = tuple[int, ...] | TensorSpec | None

ONLY_THE_SHAPE = frozenset({"Shape", "Size"})  # operators that read no element of their input


def bind(graph: Graph, shapes: Mapping[str, Shape], values: Mapping[str, np.ndarray] | None = None) -> Graph:
    """The graph for inputs of these shapes: `specs` holds every value whose shape follows from them, and shape
    arithmetic has become constants.

    Before, with x: 2x3x8x8
        constant i: int64[scalar]
        input x: float32[Nx3xHxW]
        s = Shape(x)
        n = Gather(s, i)
        ...
        y = Reshape(x, shape)
    After
        input x: float32[2x3x8x8]
        constant shape: int64[2]
        y = Reshape(x, shape)

    shapes  of every graph input, in elements; for one that the graph knows nothing of, its spec, or None for what is
            no tensor
    values  of inputs on whose elements shapes depend: they become constants

    Where a shape depends on elements that are not known, the value and what follows from it has no spec.
    Weights are shared with `graph`. Numerics: exact.

    Raises ShapeError when a shape contradicts the graph's input or an operator's definition, naming the node,
    and LimitError, before any memory is asked for, when a value needs more than the knob MEMORY allows.
    """
    limit = knobs.MEMORY.get()
    fixed = {name: np.asarray(value) for name, value in (values or {}).items()}
    inputs = {name: bound(name, spec, shapes) for name, spec in graph.inputs.items() if name not in fixed}
    known_inputs = {name: spec for name, spec in inputs.items() if not spec.is_unknown}
    for name, spec in known_inputs.items():
        check_size(f"input {name!r}", spec, limit)
    edit = Rewriter(graph.replace(inputs=inputs, constants={**graph.constants, **fixed}, specs={}))
    constants, specs, folder = edit.constants, edit.specs, Folder()
    specs.update(known_inputs)
    for node in edit:
        read = [known(specs, constants, name) if name else None for name in node.inputs]
        if any(spec is None and name for name, spec in zip(node.inputs, read, strict=True)):
            edit.keep(node)
            continue
        arrays = [constants.get(name) if name else None for name in node.inputs]
        outputs = infer(node, read, arrays)
        for name, spec in zip(node.outputs, outputs or (), strict=False):
            if name:
                check_size(f"{name!r}, computed by node {node.name!r} ({node.kind}),", spec, limit)
        if node.kind in ONLY_THE_SHAPE:
            arrays = [None if spec is None else np.broadcast_to(np.zeros((), spec.dtype), spec.dims) for spec in read]
        folded = folder.fold(node, arrays, outputs) if foldable(node, arrays) else None
        if folded is not None:
            edit.fold(node, folded)
            continue
        op = node.op if outputs is None else node.op.bound(read)
        if op is node.op:
            edit.keep(node)
        else:
            edit.replace(node, op, node.inputs)
        specs.update((name, spec) for name, spec in zip(node.outputs, outputs or (), strict=False) if name)
    return edit.finish().replace(specs=specs)


def foldable(node: Node, arrays: Iterable[np.ndarray | None]) -> bool:
    return any(node.inputs) and all(
        array is not None or not name for name, array in zip(node.inputs, arrays, strict=True)
    )


def bound(name: str, spec: TensorSpec, shapes: Mapping[str, Shape]) -> TensorSpec:
    """The spec of an input with a given shape. Raises ShapeError when that is absent or contradicts the spec."""
    if name not in shapes:
        raise ShapeError(f"input {name!r} needs a shape")
    given = shapes[name]
    if given is None or isinstance(given, TensorSpec):
        return given or spec
    shape = tuple(map(int, given))
    declared = spec.shape
    fits = declared is None or (
        len(declared) == len(shape) and all(isinstance(d, str) or d == s for d, s in zip(declared, shape, strict=True))
    )
    if not fits or any(s < 0 for s in shape):
        raise ShapeError(f"input {name!r} is {spec}: it cannot have shape {list(shape)}")
    return spec.with_shape(shape)


def check_size(what: str, spec: TensorSpec, limit: int) -> None:
    """Raises LimitError when a tensor alone is larger than the limit in bytes."""
    if spec.nbytes > limit:
        raise LimitError(
            f"{what} would be {spec}, {spec.nbytes:,} bytes; at most {limit:,} are allowed, "
            f"the environment variable {knobs.MEMORY.name} sets how many"
        )
