"""tinycnn against onnxruntime on one model: same inputs, same threads, in turn, medians."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tinycnn.converters import to_onnx
from tinycnn.errors import MissingPackageError
from tinycnn.ir import Graph
from tinycnn.session import InferenceSession, SessionOptions
from tinycnn.summary import default_shapes


@dataclass(frozen=True)
class Comparison:
    """Milliseconds are medians; error is max |y - ref| / max |ref| over all float outputs."""

    model: str
    threads: int
    runs: int
    tinycnn_ms: float
    tinycnn_p90_ms: float
    onnxruntime_ms: float
    onnxruntime_p90_ms: float
    speedup: float
    error: float


def random_feeds(session: InferenceSession, wishes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Seeded inputs: normal for floats, 0..9 for integers."""
    rng = np.random.default_rng(0)
    feeds = {}
    for name, shape in default_shapes(session, wishes).items():
        dtype = session.declared.inputs[name].dtype
        is_float = np.issubdtype(dtype, np.floating)
        feeds[name] = (rng.standard_normal(shape) if is_float else rng.integers(0, 10, shape)).astype(dtype)
    return feeds


def in_turn(first: Callable[[], object], second: Callable[[], object], seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of each, run alternately after a warm-up for about this long, at least five times."""
    first(), second()
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        first()
        middle = time.perf_counter()
        second()
        times.append((middle - start, time.perf_counter() - middle))
    a, b = np.array(times).T * 1e3
    return a, b


def relative_error(results: list[np.ndarray], references: list[np.ndarray]) -> float:
    worst = 0.0
    for y, ref in zip(results, references, strict=True):
        if np.issubdtype(ref.dtype, np.floating) and ref.size:
            scale = float(np.abs(ref).max()) or 1.0
            worst = max(worst, float(np.abs(y.astype(np.float64) - ref).max()) / scale)
    return worst


def compare(
    model: str | Graph, threads: int = 1, seconds: float = 2.0, wishes: Mapping[str, tuple[int, ...]] | None = None
) -> Comparison:
    """A file, or a graph, which onnxruntime gets as `tinycnn.converters.to_onnx` writes it.

    Raises MissingPackageError when onnxruntime is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError:
        raise MissingPackageError("bench needs onnxruntime: pip install 'tinycnn[bench]'") from None
    ours = InferenceSession(model, SessionOptions(intra_op_num_threads=threads))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    file = model if isinstance(model, str) else to_onnx(model).SerializeToString()
    theirs = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    feeds = random_feeds(ours, wishes or {})
    error = relative_error(ours.run(None, feeds), theirs.run(None, feeds))
    a, b = in_turn(lambda: ours.run(None, feeds), lambda: theirs.run(None, feeds), seconds)
    mine, other = float(np.median(a)), float(np.median(b))
    p90 = [float(np.percentile(t, 90)) for t in (a, b)]
    name = model if isinstance(model, str) else model.name
    return Comparison(name, threads, len(a), mine, p90[0], other, p90[1], other / mine, error)
