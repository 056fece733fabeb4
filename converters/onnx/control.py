"""Loop and Optional for the onnx package's reference evaluator, where its own differ from the specification."""

from typing import Any

import numpy as np
from onnx import TypeProto, helper
from onnx.reference.op_run import OpRun


class Loop(OpRun):
    """Runs a body up to `trips` times, while its condition holds.

    Every scanned output gains a first axis of one entry a trip, whatever the rank of the body's; an absent condition
    holds; values from around the body are seen in it. Without a trip a scanned output is empty, in the type that the
    body declares.

    Source: ONNX Loop, opset 25. The evaluator's own stacks rows, which suits only vectors, and takes an absent
    condition for false.
    """

    _run_body: Any  # set by OpRun, one for each subgraph

    def need_context(self) -> bool:
        return True

    def _run(
        self, trips: Any, condition: Any, *initial: Any, context: Any = None, attributes: Any = None, **_: Any
    ) -> tuple[Any, ...]:
        body = next(a.g for a in self.onnx_node.attribute if a.name == "body")
        names = [value.name for value in body.input]
        carried, scanned = list(initial), [list[Any]() for _ in body.output[1 + len(initial) :]]
        trip, goes_on = 0, condition is None or bool(np.all(condition))
        while goes_on and (trips is None or trip < int(np.asarray(trips).item())):
            given = [np.array(trip, np.int64), np.array(True), *carried]
            inside = {**(context or {}), **dict(zip(names, given, strict=True))}
            results = self._run_body(inside, attributes=attributes)
            goes_on = bool(np.all(results[0]))
            carried = list(results[1 : 1 + len(carried)])
            for entries, entry in zip(scanned, results[1 + len(carried) :], strict=True):
                entries.append(np.asarray(entry))
            trip += 1
        declared = [value.type for value in body.output[1 + len(initial) :]]
        return (*carried, *(stacked(entries, of) for entries, of in zip(scanned, declared, strict=True)))


def stacked(entries: list[np.ndarray], declared: TypeProto) -> np.ndarray:
    """The entries along a new first axis.

    declared  the type of one entry; sizes that it leaves open are 0 where there is no entry
    Raises ValueError when there is no entry and no declared shape.
    """
    if entries:
        return np.stack(entries)
    tensor = declared.tensor_type
    if not tensor.HasField("shape"):
        raise ValueError("the loop makes no trip, and its body declares no shape of what it scans")
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return np.empty((0, *(dim.dim_value for dim in tensor.shape.dim)), dtype)


class Optional(OpRun):
    """The value itself, or None where there is none.

    Source: ONNX Optional, opset 15. The evaluator's own wraps it in a list, which is what a sequence is.
    """

    def _run(self, value: Any = None, **_: Any) -> tuple[Any, ...]:
        return (value,)


OPERATORS = [Loop, Optional]
