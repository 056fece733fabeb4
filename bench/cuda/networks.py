"""tinycnn against PyTorch with cuDNN on a CUDA device: same weights, inputs on the device, CUDA graphs, medians.

    python bench/cuda/networks.py [--networks vgg16 ...] [--batches 1 8 64] [--precisions f32 tf32 bf16] > results.jsonl

PyTorch runs the network with its normalisations folded, channels last and, in f32, also channels first, with cuDNN's
own search for the fastest algorithm; the best of these counts. TF32 is off for f32. Needs a CUDA device and torch.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from in_torch import OnnxModule

from tinycnn import InferenceSession
from tinycnn.converters import to_onnx
from tinycnn.kernels.cuda.driver import open_gpu
from tinycnn.models import build
from tinycnn.models.counting import count
from tinycnn.runtime.executor_cuda import Executor

NETWORKS = ("vgg16", "resnet18", "resnet50", "googlenet", "mobilenet_v1")
DTYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
ROUNDS = 9


def median_s(run: Callable[[int], float]) -> float:
    """Of rounds that take about 20 ms each."""
    run(1)
    each = max(1, min(50, int(0.02 / max(run(2), 1e-6))))
    return statistics.median(run(each) for _ in range(ROUNDS))


def ours(session: InferenceSession, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds of one inference, and its output."""
    [feed] = session.get_inputs()
    [executor] = session.plan({feed.name: x.shape}).parts
    assert isinstance(executor, Executor)
    [y] = session.run(None, {feed.name: x})
    gpu = open_gpu()
    address = gpu.allocate(x.nbytes)
    gpu.copy("to device", x.ctypes.data, address, x.nbytes)
    _, context = executor.take((address,))
    seconds = median_s(context.work.seconds)
    gpu.free(address)
    return seconds, y


def theirs(module: torch.nn.Module, x: torch.Tensor) -> tuple[float, torch.Tensor]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(side):
        for _ in range(3):
            module(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        y = module(x)

    def run(times: int) -> float:
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        for _ in range(times):
            graph.replay()
        after.record()
        after.synchronize()
        return before.elapsed_time(after) * 1e-3 / times

    return median_s(run), y


def compare(name: str, precisions: Sequence[str], batches: Sequence[int]) -> Iterator[dict[str, object]]:
    graph = build(name)
    [spec] = graph.inputs.values()
    device, macs = open_gpu().title, count(graph).macs
    model = to_onnx(InferenceSession(graph).network.graph)
    for precision in precisions:
        session = InferenceSession(graph, providers=[("CUDAExecutionProvider", {"precision": precision})])
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "f32"
        formats = {"channels last": torch.channels_last}
        if precision == "f32":
            formats["channels first"] = torch.contiguous_format
        modules = {layout: OnnxModule(model, DTYPES[precision], form) for layout, form in formats.items()}
        for batch in batches:
            x = np.random.default_rng(0).standard_normal((batch, *spec.shape[1:]), np.float32)
            seconds, y = ours(session, x)
            found = {}
            for layout, form in formats.items():
                feed = torch.from_numpy(x).to("cuda", DTYPES[precision]).to(memory_format=form)
                found[layout], reference = theirs(modules[layout], feed)
            wanted = reference.float().cpu().numpy().reshape(y.shape)
            layout = min(found, key=lambda key: found[key])
            yield {
                "device": device, "network": name, "macs": macs, "batch": batch, "precision": precision,
                "tinycnn_ms": seconds * 1e3, "torch_ms": found[layout] * 1e3, "torch_layout": layout,
                "speedup": found[layout] / seconds,
                "difference": float(np.abs(y - wanted).max() / np.abs(wanted).max()),
            }  # fmt: skip
            torch.cuda.empty_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--precisions", nargs="+", default=["f32", "tf32", "bf16"])
    args = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    print(open_gpu().title, "PyTorch", torch.__version__, "cuDNN", torch.backends.cudnn.version(), file=sys.stderr)
    for name in args.networks:
        for row in compare(name, args.precisions, args.batches):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
