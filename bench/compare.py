"""tinycnn against onnxruntime, OpenVINO and ncnn on .onnx files: same inputs, same threads, in turn, medians.

    python bench/compare.py MODELS --out results

Every engine runs in a process of its own, all in turn for some rounds, so that a drifting machine hits each alike.
Outputs are held against those of onnxruntime for single pictures; what is wrong is reported, not timed. The folder gets
results.jsonl with everything, report.md and speedup.svg. The same command goes on where a run was ended.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from bench import batch, machine, table
from bench.engines import LOADERS, REFERENCE, version
from bench.results import Record, Results, cell
from bench.to_ncnn import ConversionError, convert

WORKER = Path(__file__).with_name("worker.py")
TOLERANCE = 1e-3
QUIET = {"ORT_DISABLE_TELEMETRY": "1"}

Task = dict[str, Any]
Tasks = dict[str, Task]


def turn(task: Task, timeout_s: float) -> dict[str, Any]:
    """What one process tells, or its `failure`."""
    command = [sys.executable, str(WORKER), json.dumps(task)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=os.environ | QUIET)
    except subprocess.TimeoutExpired:
        return {"failure": f"not done within {timeout_s:g} s"}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return {"failure": f"status {done.returncode}: {''.join(last)[:200]}"}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if told.get("error", 0) > TOLERANCE:
        return told | {"failure": f"wrong: differs by more than {TOLERANCE:g} of the greatest value"}
    return told


def all_fail(reason: str) -> Tasks:
    return {name: {"failure": reason} for name in LOADERS}


def in_turn(tasks: Tasks, rounds: int, timeout_s: float) -> dict[str, Any]:
    """Each engine once a round, until it fails; a task that is a `failure` already stays one."""
    engines: dict[str, Any] = {}
    for name, task in tasks.items():
        engines[name] = {"failure": task["failure"]} if "failure" in task else {"turns": []}
    for _ in range(rounds):
        for name, engine in engines.items():
            if "failure" not in engine:
                told = turn(tasks[name], timeout_s)
                engine["turns"].append(told)
                if "error" in told:
                    engine["error"] = max(told["error"], engine.get("error", 0.0))
                if "failure" in told:
                    engine["failure"] = told["failure"]
    return engines


class Model:
    """One file at every batch, and what engines need to run it, in a folder that lasts as long as the model."""

    def __init__(self, path: Path, folder: Path, timeout_s: float) -> None:
        self.path, self.folder, self.timeout_s = path, folder, timeout_s
        self.known: dict[int, Tasks] = {}

    @cached_property
    def single(self) -> Path:
        return batch.at_batch(self.path, 1, self.folder)

    @cached_property
    def ncnn(self) -> Task:
        try:
            return {"model": str(convert(self.single, self.folder, self.timeout_s))}
        except ConversionError as error:
            return {"failure": str(error)}

    def tasks(self, size: int) -> Tasks:
        """At this batch, for each engine its task, but for threads and seconds, or its `failure`."""
        if size not in self.known:
            try:
                self.known[size] = self.prepare(size)
            except Exception as error:  # whatever onnx raises for files that are broken: it must not end the run
                self.known[size] = all_fail(f"cannot be prepared: {error}")
        return self.known[size]

    def prepare(self, size: int) -> Tasks:
        file = batch.at_batch(self.path, size, self.folder)
        feeds, reference = self.folder / f"feeds{size}.npz", self.folder / f"reference{size}.npz"
        np.savez(feeds, *batch.feeds(file))
        common = {"model": str(file), "feeds": str(feeds), "reference": str(reference), "tolerance": TOLERANCE}
        wanted = common | {"engine": REFERENCE, "threads": 1, "seconds": 0}
        told = turn(wanted | {"model": str(self.single), "write": True}, self.timeout_s)
        if "failure" in told:
            return all_fail(f"nothing to compare with, as {REFERENCE} fails: {told['failure']}")
        told = turn(wanted, self.timeout_s)
        if "failure" in told:
            return all_fail(f"no batch of {size} in {REFERENCE}: {told['failure']}")
        tasks: Tasks = {name: common | {"engine": name} for name in LOADERS}
        tasks |= {name: {"failure": "not installed"} for name in LOADERS if version(name) is None}
        if "failure" not in tasks["ncnn"]:
            tasks["ncnn"] |= self.ncnn
        return tasks


def measure(model: Model, wanted: Record) -> Record:
    settings = {"threads": wanted["threads"], "seconds": wanted["seconds"]}
    tasks = {name: task | settings for name, task in model.tasks(wanted["batch"]).items()}
    return wanted | {"engines": in_turn(tasks, wanted["rounds"], model.timeout_s)}


def told_of(record: Record) -> str:
    times = ", ".join(f"{name} {table.milliseconds(table.median(record, name))}" for name in LOADERS)
    return f"{record['model']}, {table.threads_and_batch(record)}: {times} ms"


def write_report(found: Sequence[Record], results: Results, arguments: argparse.Namespace) -> None:
    from bench.plot import plot

    command = f"python bench/compare.py MODELS --out FOLDER --seconds {arguments.seconds:g} --rounds {arguments.rounds}"
    heading = ["# tinycnn against its peers", "", *machine.lines(results.machine), "", f"By `{command}`.", ""]
    lines = [*heading, *table.report(found)]
    (arguments.out / "report.md").write_text("\n".join(lines) + "\n", "utf-8")
    plot(found, arguments.out / "speedup.svg")


def parse(command: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, help=".onnx files or folders of them")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--seconds", type=float, default=1.0, help="timed seconds a turn; default: 1")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each engine; default: 3")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds after which a turn has failed")
    parser.add_argument("--again", action="store_true", help="forget what the folder holds")
    arguments = parser.parse_args(command)
    if version(REFERENCE) is None:
        parser.error(f"{REFERENCE} is not installed, and no result could be checked: pip install 'tinycnn[bench]'")
    for path in arguments.models:
        if not path.exists():
            parser.error(f"{path}: no such file or folder")
    return arguments


def main(command: Sequence[str] | None = None) -> None:
    arguments = parse(command)
    paths = sorted(f for path in arguments.models for f in ([path] if path.is_file() else path.rglob("*.onnx")))
    if not paths:
        sys.exit(f"{', '.join(map(str, arguments.models))}: no .onnx file")
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = Results(arguments.out / "results.jsonl", machine.describe(), arguments.again)
    for name in (*LOADERS, "pnnx"):
        if version(name) is None:
            print(f"{name} is not installed and left out: see bench/README.md")
    found: list[Record] = []
    for path in paths:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with tempfile.TemporaryDirectory() as folder:
            model = Model(path, Path(folder), arguments.timeout)
            for size in arguments.batch:
                for threads in arguments.threads:
                    wanted = {
                        "model": path.stem, "sha256": digest, "batch": size, "threads": threads,
                        "seconds": arguments.seconds, "rounds": arguments.rounds,
                    }  # fmt: skip
                    if cell(wanted) not in results.records:
                        results.add(measure(model, wanted))
                    found.append(results.records[cell(wanted)])
                    print(told_of(found[-1]), flush=True)
        write_report(found, results, arguments)
    print(arguments.out / "report.md")


if __name__ == "__main__":
    main()
