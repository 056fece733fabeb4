"""What a fresh process pays before its first result: python bench/loading.py FILE... [--repeats 9] [--cold]

Each engine loads each model in processes of its own, in turn; medians in milliseconds. `import` is that of the engine
and NumPy, `load` makes the session, which imports more, `first` is the first run, and `total` their sum.
With --cold it is tinycnn alone, which finds no compiled kernel.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ENGINES = ("tinycnn", "onnxruntime")
PARTS = ("import", "load", "first", "total")

PROGRAM = """
import sys, time
t = [time.perf_counter()]
import numpy as np
rt = __import__(sys.argv[1])
options = rt.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
t.append(time.perf_counter())
session = rt.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])
t.append(time.perf_counter())
def feed(shape):
    return np.zeros([d if isinstance(d, int) else 224 if i else 1 for i, d in enumerate(shape)], np.float32)

session.run(None, {x.name: feed(x.shape) for x in session.get_inputs()})
t.append(time.perf_counter())
import json
print(json.dumps([*(1e3 * (b - a) for a, b in zip(t, t[1:])), 1e3 * (t[-1] - t[0])]))
"""


def measure(engine: str, model: Path, threads: int, cold: bool) -> list[float]:
    """The parts of one fresh process, in milliseconds."""
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "TINYCNN_CACHE": empty} if cold else None
        command = [sys.executable, "-c", PROGRAM, engine, str(model.resolve()), str(threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=empty)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cold", action="store_true", help="tinycnn alone, with an empty cache")
    told = parser.parse_args()
    print(f"{'model':24}{'engine':14}" + "".join(f"{part:>9}" for part in PARTS))
    for model in told.models:
        engines = ENGINES[:1] if told.cold else ENGINES
        for engine in engines:
            measure(engine, model, told.threads, cold=False)  # compiles what is missing, and warms the disk's cache
        taken = [{e: measure(e, model, told.threads, told.cold) for e in engines} for _ in range(told.repeats)]
        for engine in engines:
            medians = map(statistics.median, zip(*(t[engine] for t in taken), strict=True))
            print(f"{model.stem:24}{engine:14}" + "".join(f"{ms:9.1f}" for ms in medians))


if __name__ == "__main__":
    main()
