"""The engines that are compared: f32 arithmetic everywhere, and of each the settings that are best for it."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

Arrays = Sequence[np.ndarray]
Run = Callable[[], list[np.ndarray]]
Bind = Callable[[Arrays], Run]
Load = Callable[[Path, int], Bind]
"""From a file and a number of threads to a function of the feeds, in the order of the model's inputs, to a run."""


def pictures(feeds: Arrays) -> Iterator[list[np.ndarray]]:
    """The batch cut into batches of one; what has no batch, as vectors and scalars, goes with each."""
    for i in range(max((len(x) for x in feeds if x.ndim > 1), default=1)):
        yield [x[i : i + 1] if x.ndim > 1 else x for x in feeds]


def joined(results: Sequence[Arrays]) -> list[np.ndarray]:
    """Outputs of single pictures as outputs of the batch. Raises ValueError where one is not of a single picture."""
    if len(results) > 1 and any(y.ndim == 0 or len(y) != 1 for y in results[0]):
        raise ValueError(f"outputs of one picture are {[y.shape for y in results[0]]}: they have no batch to join")
    return [np.concatenate(ys) for ys in zip(*results, strict=True)] if len(results) > 1 else list(results[0])


def load_tinycnn(file: Path, threads: int) -> Bind:
    import tinycnn

    session = tinycnn.InferenceSession(str(file), tinycnn.SessionOptions(intra_op_num_threads=threads))

    def bind(feeds: Arrays) -> Run:
        named = dict(zip((i.name for i in session.get_inputs()), feeds, strict=True))
        return lambda: session.run(None, named)

    return bind


def load_onnxruntime(file: Path, threads: int) -> Bind:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def bind(feeds: Arrays) -> Run:
        named = dict(zip((i.name for i in session.get_inputs()), feeds, strict=True))
        return lambda: session.run(None, named)

    return bind


def load_openvino(file: Path, threads: int) -> Bind:
    """Feeds and results are shared, not copied."""
    # Importing openvino reports to its maker's analytics where this package can be imported.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
    }  # fmt: skip
    core = openvino.Core()
    model = core.compile_model(core.read_model(str(file)), "CPU", settings)
    request = model.create_infer_request()

    def bind(feeds: Arrays) -> Run:
        numbered = dict(enumerate(feeds))

        def run() -> list[np.ndarray]:
            results = request.infer(numbered, share_inputs=True, share_outputs=True)
            return [results[port] for port in model.outputs]

        return run

    return bind


def load_ncnn(file: Path, threads: int) -> Bind:
    """A .param file of pnnx, its weights beside it. A batch runs picture by picture: not all networks can otherwise."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    for kind in ("storage", "packed", "arithmetic"):
        net.opt.__setattr__(f"use_fp16_{kind}", False)
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = False
    if net.load_param(str(file)) or net.load_model(str(file.with_suffix(".bin"))):
        raise RuntimeError("ncnn does not take what pnnx wrote")
    outputs = sorted(net.output_names(), key=lambda name: int(name.removeprefix("out")))

    def one(mats: Sequence[ncnn.Mat]) -> list[np.ndarray]:
        extractor, results = net.create_extractor(), []
        for i, mat in enumerate(mats):
            extractor.input(f"in{i}", mat)
        for name in outputs:
            status, mat = extractor.extract(name)
            if status:
                raise RuntimeError(f"ncnn cannot compute {name}")
            results.append(mat.numpy(batch_index=0).copy())
        return results

    def bind(feeds: Arrays) -> Run:
        batch = [[ncnn.Mat(x, batch_index=0).clone() for x in picture] for picture in pictures(feeds)]
        return lambda: joined([one(mats) for mats in batch])

    return bind


REFERENCE = "onnxruntime"
LOADERS: Mapping[str, Load] = {
    "tinycnn": load_tinycnn, REFERENCE: load_onnxruntime, "openvino": load_openvino, "ncnn": load_ncnn,
}  # fmt: skip
"""In the order of their turns, each by the name of its package."""


def version(package: str) -> str | None:
    """None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
