"""What a process that lives long pays: the same memory after many runs and shapes, and nothing while it waits."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.planner.programs import chain, convolutions, node, normal, normalised
from tests.runtime.sessions import feed, session
from tinycnn.converters import save_onnx
from tinycnn.ir import Graph
from tinycnn.runtime import executor_cpu

STATUS = Path("/proc/self/status")
KIB = 1 << 10

# Runs a model on so many different shapes, or again and again on one; tells its peak after some, then after all.
PROGRAM = """
import pathlib, re, sys
import numpy as np
import tinycnn
from tinycnn.runtime import executor_cpu

def peak_kib():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])

model, shapes, first, last = sys.argv[1], *map(int, sys.argv[2:])
executor_cpu.TEAM_WORTH_S = 0.0
options = tinycnn.SessionOptions()
options.intra_op_num_threads = 2
session = tinycnn.InferenceSession(model, options)
for i in range(last):
    h, w = divmod(i % shapes, 25)
    [y] = session.run(None, {"x": np.ones((1, 3, 20 + h, 20 + w), np.float32)})
    if i + 1 in (first, last):
        print(peak_kib())
"""


def pyramid() -> Graph:
    """A small classifier of pictures of any size."""
    graph = chain(
        (1, 3, 20, 20),
        node("Conv", "x w b", "first", pads=(1, 1, 1, 1)),
        node("MaxPool", "first", "pool", kernel_shape=(2, 2), strides=(2, 2)),
        node("Conv", "pool v", "second"),
        node("GlobalAveragePool", "second", "mean"),
        node("Flatten", "mean", "flat"),
        node("Gemm", "flat m", "y", transB=1),
        w=normal(16, 3, 3, 3), b=normal(16), v=normal(32, 16, 3, 3), m=normal(5, 32),
    )  # fmt: skip
    return graph.replace(inputs={"x": graph.inputs["x"].with_shape((1, 3, "h", "w"))}, specs={})


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells the peak of a process's own memory")
@pytest.mark.parametrize(
    ("shapes", "first", "last", "most_kib"),
    [pytest.param(1, 500, 10_000, 512, id="one shape"), pytest.param(500, 500, 1000, 4 * KIB, id="many shapes")],
)
def test_memory_stays_the_same(tmp_path: Path, shapes: int, first: int, last: int, most_kib: int) -> None:
    """A leak of 55 bytes a run, or of 8 KiB a shape, which is less than any plan of it has, would be seen. All shapes
    have run once before the first look: by then every kernel is compiled, and the largest plans have been kept."""
    save_onnx(pyramid(), tmp_path / "pyramid.onnx")
    command = [sys.executable, "-c", PROGRAM, tmp_path / "pyramid.onnx", *map(str, (shapes, first, last))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    early, late = map(int, done.stdout.split())
    assert late - early < most_kib


def test_a_session_that_waits_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    graph = convolutions()
    s = session(graph, 2)
    for _ in range(3):
        s.run(None, feed(graph))
    before = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - before < 0.1


@pytest.mark.parametrize("threads", [1, 2])
def test_two_sessions_run_at_once(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Each from a thread of its own, whoever has the team: the bits are those of a session alone."""
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    makers: list[Callable[[], Graph]] = [convolutions, normalised]
    graphs = [make() for make in makers]
    wanted = [session(graph, 1).run(None, feed(graph)) for graph in graphs]
    sessions = [session(graph, threads) for graph in graphs]
    together, right = threading.Barrier(len(graphs)), list[bool]()

    def call(i: int) -> None:
        feeds = feed(graphs[i])
        together.wait()
        for _ in range(200):
            right.append(all(map(np.array_equal, sessions[i].run(None, feeds), wanted[i])))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(len(graphs))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 200 * len(graphs)
