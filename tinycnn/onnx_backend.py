"""tinycnn as an `onnx.backend`: for the onnx package's own test suite and for programs written against that interface.

Source: onnx.backend.base.Backend; docs/ImplementingAnOnnxBackend.md of the onnx project.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from tinycnn.errors import FeedError
from tinycnn.session import CPU, CUDA, InferenceSession, SessionOptions, get_available_providers

PROVIDERS = {DeviceType.CPU: [CPU], DeviceType.CUDA: [CUDA, CPU]}


class Rep(BackendRep):
    """A prepared model."""

    def __init__(self, session: InferenceSession):
        self.session = session

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """All outputs. inputs: values in the order of the model's, one array alone, or a mapping by name.

        Raises FeedError and FeedTypeError, naming what does not fit.
        """
        if not isinstance(inputs, dict):
            values = inputs if isinstance(inputs, list | tuple) else [inputs]
            names = [i.name for i in self.session.get_inputs()]
            if len(values) > len(names):
                raise FeedError(f"the model has {len(names)} inputs, not {len(values)}")
            inputs = dict(zip(names, values, strict=False))
        return tuple(self.session.run(None, inputs))


class TinyCnnBackend(Backend):
    """What a model needs and we lack is an UnsupportedModelError, never a wrong answer."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> Rep:
        return Rep(InferenceSession(model, SessionOptions(intra_op_num_threads=1), PROVIDERS[Device(device).type]))

    @classmethod
    def run_model(cls, model: ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Sequence[Any] | None = None, **kwargs: Any
    ) -> tuple[Any, ...]:
        """One node on arrays, in the newest opset or the `opset_version` given."""
        from onnx import helper

        arrays = [np.asarray(x) for x in (inputs if isinstance(inputs, list | tuple) else [inputs])]
        named = [name for name in node.input if name]
        ins = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in zip(named, arrays, strict=True)
        ]
        outs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        opsets = [helper.make_opsetid("", kwargs["opset_version"])] if "opset_version" in kwargs else None
        model = helper.make_model(helper.make_graph([node], "node", ins, outs), opset_imports=opsets)
        return cls.run_model(model, arrays, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CUDA where there is a device; what it has no kernel for runs on the processor."""
        return PROVIDERS[Device(device).type][0] in get_available_providers()


prepare, run_model, run_node = TinyCnnBackend.prepare, TinyCnnBackend.run_model, TinyCnnBackend.run_node
supports_device, is_compatible = TinyCnnBackend.supports_device, TinyCnnBackend.is_compatible
