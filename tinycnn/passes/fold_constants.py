"""Computes at load what depends on no input."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from tinycnn.errors import ShapeError, TinyCnnError
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.ops import REGISTRY
from tinycnn.passes.rewriter import Rewriter

# A dequantised weight has four times the bytes of its input; what a model may make beyond that in all is bounded,
# so that a small file cannot ask for much memory.
GROWTH = 4
GROWTH_BYTES = 64 << 20
UNPREDICTED_BYTES = 1 << 16

# Operators without a class of their own say nothing of their outputs. These make nothing much larger than their inputs,
# end after a time that these bound, and throw no dice: the most bytes of inputs. By a batch normalisation, which ends
# after a time that is linear in them, weights of any size are standardised.
TRUSTED = {
    f"onnx.{kind}": UNPREDICTED_BYTES
    for kind in """
    Acos Acosh Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Compress Cos Cosh CumSum
    EyeLike IsInf IsNaN ReverseSequence ScatterElements ScatterND Sin Sinh Tan TopK Trilu Unique
    """.split()
} | {"onnx.BatchNormalization": sys.maxsize}


def fold_constants(graph: Graph) -> Graph:
    """A node that reads constants only becomes constants.

    Before
        constant q: int8[8x3x3x3]
        constant s: float32[scalar]
        w = DequantizeLinear(q, s)
        y = Conv(x, w)
    After
        constant w: float32[8x3x3x3]
        y = Conv(x, w)

    Nothing random, and nothing that would make the model larger by more than GROWTH_BYTES. Numerics: exact.

    Raises ShapeError naming the node whose inputs its operator does not allow.
    """
    edit, folder = Rewriter(graph), Folder()
    for node in edit:
        if any(node.inputs) and all(name in edit.constants for name in node.inputs if name):
            inputs = [edit.constant(name) for name in node.inputs]
            values = folder.fold(node, inputs, infer(node, list(map(spec_of, inputs)), inputs))
            if values is not None:
                edit.fold(node, values)
                edit.log(node, "folded", "constant")
                continue
        edit.keep(node)
    return edit.finish()


class Folder:
    """Evaluates nodes within a budget of memory."""

    def __init__(self) -> None:
        self.left = GROWTH_BYTES

    def fold(
        self, node: Node, inputs: Sequence[np.ndarray | None], outputs: Sequence[TensorSpec] | None
    ) -> tuple[np.ndarray, ...] | None:
        """The node's outputs; None where it must not be folded, or its reference cannot.

        outputs  their specs, None where they are not known before
        """
        given = sum(x.nbytes for x in inputs if x is not None)
        if outputs is None and given > TRUSTED.get(node.kind, UNPREDICTED_BYTES if node.kind in REGISTRY else -1):
            return None
        growth = max(0, sum(spec.nbytes for spec in outputs or ()) - GROWTH * given)
        if growth > self.left:
            return None
        self.left -= growth
        try:
            values = node.op.reference(*inputs)
        except Exception:
            return None
        arrays = tuple(np.asarray(value) for value in values if isinstance(value, np.ndarray | np.generic))
        return arrays if len(arrays) == len(values) and all(a.dtype != object for a in arrays) else None


def spec_of(array: np.ndarray | None) -> TensorSpec | None:
    return None if array is None else TensorSpec.of(array)


def infer(
    node: Node, inputs: Sequence[TensorSpec | None], values: Sequence[np.ndarray | None]
) -> tuple[TensorSpec, ...] | None:
    """The specs of the node's outputs. Raises ShapeError naming the node, whatever its inputs hold."""
    try:
        return node.op.infer(inputs, values)
    except TinyCnnError as error:
        reason = str(error)
    except Exception as error:  # inputs that the operator's author did not foresee
        reason = f"{type(error).__name__}: {error}"
    shapes = ", ".join(f"{name}: {spec}" for name, spec in zip(node.inputs, inputs, strict=True) if spec)
    raise ShapeError(f"node {node.name!r} ({node.kind}) of {shapes or 'no inputs'}: {reason}")


def known(specs: Mapping[str, TensorSpec], constants: Mapping[str, np.ndarray], name: str) -> TensorSpec | None:
    """The spec of a value where it has one."""
    array = constants.get(name)
    return specs.get(name) if array is None else TensorSpec.of(array)
