"""Whole models against onnxruntime: same inputs, same threads, in turn; the results compared first.

pytest bench/bench_models.py --models FOLDER --benchmark-json=results/models.json
"""

import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from tinycnn.benchmark import compare, random_feeds
from tinycnn.session import InferenceSession, SessionOptions

TOLERANCE = 1e-3


def shapes_for(session: InferenceSession, batch: int) -> dict[str, tuple[int, ...]]:
    """Input shapes with this batch; skips models whose batch is fixed to another."""
    shapes = {}
    for name, feed in random_feeds(session, {}).items():
        declared = session.declared.inputs[name].shape
        if feed.ndim == 0 or feed.shape[0] == batch:
            shapes[name] = feed.shape
        elif declared and isinstance(declared[0], str):
            shapes[name] = (batch, *feed.shape[1:])
        else:
            pytest.skip(f"takes batches of {feed.shape[0]} only")
    return shapes


def test_model(benchmark, path: Path, threads: int, batch: int, request: pytest.FixtureRequest) -> None:  # type: ignore[no-untyped-def]
    session = InferenceSession(path, SessionOptions(intra_op_num_threads=threads))
    shapes = shapes_for(session, batch)
    c = compare(str(path), threads, request.config.getoption("--seconds"), shapes)
    assert c.error <= TOLERANCE
    benchmark.pedantic(session.run, (None, random_feeds(session, shapes)), rounds=5, warmup_rounds=1)
    benchmark.extra_info.update({**asdict(c), "model": path.stem, "batch": batch})


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
