"""Threads of one inference: how many, that all work, that they wake, and that a fork finds its own."""

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.planner.programs import chain, node, normal, program
from tinycnn import knobs
from tinycnn.kernels.cpu import isa
from tinycnn.runtime import executor_cpu, team
from tinycnn.runtime.executor_cpu import Executor


@pytest.fixture(autouse=True)
def always_together(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Even programs too small to be worth a team are run by one."""
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    yield


@pytest.fixture(scope="module")
def executors() -> dict[int, Executor]:
    w, b = normal(37, 19, 3, 3), normal(37)
    graph = chain((1, 19, 17, 23), node("Conv", "x w b", "c", pads=(1, 1, 1, 1)), node("Sigmoid", "c", "y"), w=w, b=b)
    return {threads: Executor(program(graph, threads=threads)) for threads in (1, 2, 3, 4)}


X = np.random.default_rng(1).standard_normal((1, 19, 17, 23), np.float32)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_any_number_of_threads_gives_the_same_bits(executors: dict[int, Executor], threads: int) -> None:
    wanted = executors[1].run([X])[0]
    executor = executors[threads]
    executor.alone = False
    for _ in range(50):
        np.testing.assert_array_equal(executor.run([X])[0], wanted)


def test_sleeping_workers_wake(executors: dict[int, Executor]) -> None:
    executor = executors[3]
    executor.alone = False
    wanted = executor.run([X])[0]
    crew = team.team(3, isa.current().name)
    for _ in range(3):
        for flag in range(1, 3):
            while not crew.memory[8 * flag]:
                os.sched_yield()
        np.testing.assert_array_equal(executor.run([X])[0], wanted)


def test_who_finds_the_team_busy_runs_alone_to_the_same_bits(executors: dict[int, Executor]) -> None:
    executor = executors[2]
    executor.alone = False
    wanted = executor.run([X])[0]
    with team.team(2, isa.current().name).lock:
        np.testing.assert_array_equal(executor.run([X])[0], wanted)


def test_many_callers_at_once_get_their_own_results(executors: dict[int, Executor]) -> None:
    feeds = [np.random.default_rng(seed).standard_normal(X.shape, np.float32) for seed in range(6)]
    wanted = [executors[1].run([x])[0] for x in feeds]
    right: list[bool] = []

    def call(i: int) -> None:
        right.extend(np.array_equal(executors[1 + i % 4].run([feeds[i]])[0], wanted[i]) for _ in range(40))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(len(feeds))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 40 * len(feeds)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("step", ["post", "wake", "walk"])
def test_an_interrupt_leaves_no_worker_waiting(
    executors: dict[int, Executor], monkeypatch: pytest.MonkeyPatch, step: str, before: bool
) -> None:
    executor = executors[3]
    executor.alone = False
    wanted = executor.run([X])[0]
    holder = executor if step == "walk" else team.team(3, isa.current().name)
    whole, calls = getattr(holder, step), iter([True])

    def interrupted(*args: int) -> None:
        first = next(calls, False)
        if first and before:
            raise KeyboardInterrupt
        whole(*args)
        if first:
            raise KeyboardInterrupt

    monkeypatch.setattr(holder, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        executor.run([X])
    for _ in range(20):
        np.testing.assert_array_equal(executor.run([X])[0], wanted)


def test_workers_look_at_no_memory_of_a_program_that_is_over(executors: dict[int, Executor]) -> None:
    executor = executors[2]
    executor.alone = False
    executor.run([X])
    crew = team.team(2, isa.current().name)
    assert all(context.row[2] in (0, crew.barrier) for context in executor.contexts)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_finds_a_team_of_its_own(executors: dict[int, Executor]) -> None:
    executor = executors[2]
    executor.alone = False
    wanted = executor.run([X])[0]
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(executor.run([X])[0], wanted) else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(executor.run([X])[0], wanted)


def test_memory_does_not_grow_with_the_number_of_runs(executors: dict[int, Executor]) -> None:
    executor = executors[1]
    for _ in range(20):
        executor.run([X])
    assert len(executor.contexts) <= 6  # as many as have ever run at once


@pytest.mark.parametrize(
    ("knob", "omp", "quota", "processors", "threads"),
    [
        ("", "", math.inf, 4, 4),
        ("7", "2", 1.0, 4, 7),
        ("", "2", math.inf, 4, 2),
        ("", "9", math.inf, 4, 4),
        ("", "3,2", math.inf, 4, 3),
        ("", "none", math.inf, 4, 4),
        ("", "", 2.5, 4, 2),
        ("", "", 0.5, 4, 1),
        ("", "", 8.0, 4, 4),
    ],
)
def test_the_default_honours_knob_openmp_quota_and_affinity(
    monkeypatch: pytest.MonkeyPatch, knob: str, omp: str, quota: float, processors: int, threads: int
) -> None:
    monkeypatch.setenv(knobs.THREADS.name, knob)
    monkeypatch.setenv(knobs.OMP_THREADS.name, omp)
    monkeypatch.setattr(team, "cgroup_quota", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(processors)), raising=False)
    assert team.default_threads() == threads


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu.max": "max\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu.max": "nonsense"}, math.inf),
        ({}, math.inf),
    ],
)
def test_the_quota_of_both_generations_of_control_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], quota: float
) -> None:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(team, "Path", lambda path: tmp_path / str(path).removeprefix("/sys/fs/cgroup").lstrip("/"))
    assert team.cgroup_quota() == quota
