"""Normalisations: attributes of training, and forms that later opsets express otherwise."""

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift

TRAINED = "export the model in evaluation mode"


@lift("BatchNormalization")
def batch_normalization(call: Call) -> None:
    """With given statistics; those of the batch itself, which training_mode asks for, are left to the evaluator.

    Without `spatial` (before opset 9) they lie per element instead of per channel.
    """
    if call.attributes.get("training_mode", 0):
        call.left = True
        return
    for name in ("momentum", "training_mode", "is_test"):
        call.take(name)
    spatial = call.take("spatial", 1)
    if any(call.outputs[1:]):
        raise call.refusal("only training gives more than one output", remedy=TRAINED)
    del call.outputs[1:]
    if spatial:
        return
    x, scale, shift, mean, variance = (call.required(i) for i in range(5))
    epsilon = call.constant(call.take("epsilon", 1e-5), call.dtype(), "epsilon")
    deviation = call.emit("Sqrt", [call.emit("Add", [variance, epsilon], role="variance")], role="deviation")
    normal = call.emit("Div", [call.emit("Sub", [x, mean], role="centred"), deviation], role="normal")
    call.emit("Add", [call.emit("Mul", [normal, scale], role="scaled"), shift], call.outputs)


@lift("MeanVarianceNormalization")
def mean_variance_normalization(call: Call) -> None:
    """(x - mean) / (sqrt(variance) + 1e-9) over the axes."""
    across, scaled = call.take("across_channels", 0), call.take("normalize_variance", 1)
    given = call.ints("axes")
    axes = call.axes(given if given is not None else [0, 2, 3] if call.opset >= 9 else [1, 2, 3] if across else [2, 3])
    x = call.required(0)
    mean = call.emit("ReduceMean", [x, axes], role="mean")
    if not scaled:
        call.emit("Sub", [x, mean], call.outputs)
        return
    centred = call.emit("Sub", [x, mean], role="centred")
    variance = call.emit("ReduceMean", [call.emit("Mul", [centred, centred], role="square"), axes], role="variance")
    tiny = call.constant(1e-9, call.dtype(), "epsilon")
    deviation = call.emit("Add", [call.emit("Sqrt", [variance], role="deviation"), tiny], role="denominator")
    call.emit("Div", [centred, deviation], call.outputs)
