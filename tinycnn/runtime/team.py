"""The threads of this process that walk programs together: few, shared by all sessions, asleep when idle."""

import ctypes
import functools
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinycnn import knobs
from tinycnn.ir.memory import aligned
from tinycnn.kernels.cpu import native
from tinycnn.kernels.cpu.walk import post, serve

Entry = Callable[[int, int, int], None]
ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
# Pauses before a thread that waits for others within a program yields: below 50 microseconds where a pause takes 140
# cycles at 3 GHz, and far below where it takes 40.
SPINS = 1000
# How long an idle worker waits for the next program before it sleeps: Python, and the copies of feeds and results,
# usually take less between two calls.
IDLE_S = 100e-6


def cgroup_quota() -> float:
    """Processors that the control group grants; infinite where there is no limit to be read."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        base = Path("/sys/fs/cgroup/cpu")
        quota_us, period_us = (int((base / f"cpu.cfs_{n}_us").read_text()) for n in ("quota", "period"))
        return quota_us / period_us if quota_us > 0 else math.inf
    except (OSError, ValueError):
        return math.inf


def default_threads() -> int:
    """The knob, else OMP_NUM_THREADS, else the processors granted by affinity and control group; at least 1."""
    asked = knobs.THREADS.get()
    if asked:
        return int(asked)
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = max(1, math.floor(min(granted, cgroup_quota())))
    return min(granted, knobs.OMP_THREADS.get() or granted)


def yield_address() -> int:
    """Address of the C library's sched_yield, 0 where there is none."""
    try:
        return ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
    except (AttributeError, OSError, TypeError):
        return 0


@functools.cache
def idle_spins(isa: str) -> int:
    """Pauses of an idle worker's wait, measured on this processor."""
    memory = aligned(128).view(np.int64)
    memory[:] = 0
    row = np.array([memory.ctypes.data, memory.ctypes.data + 64, SPINS], np.int64)
    entry, took = ENTRY(native.address(serve(isa))), math.inf
    for _ in range(3):
        start = time.perf_counter()
        entry(row.ctypes.data, 1, 2)
        took = min(took, time.perf_counter() - start)
    return max(SPINS, round(SPINS * IDLE_S / took))


class Team:
    """`threads - 1` workers and whoever calls `run`. One program at a time: see `lock`."""

    def __init__(self, threads: int, isa: str):
        self.threads = threads
        self.lock = threading.Lock()
        # The barrier is the team's, not the program's: a worker may look at it when the caller has long gone on.
        self.memory = aligned(64 * threads + 128).view(np.int64)
        self.memory[:] = 0
        self.memory[8 : 8 * threads : 8] = 1  # asleep
        self.barrier = self.memory.ctypes.data + 64 * threads
        job, flags = self.memory.ctypes.data, self.memory.ctypes.data + 64
        self.post = ENTRY(native.address(post(isa)))
        self.post_row = np.array([job, flags, 0, 0, threads - 1], np.int64)
        entry = ENTRY(native.address(serve(isa)))
        self.bells = [threading.Lock() for _ in range(threads - 1)]
        for i, bell in enumerate(self.bells):
            bell.acquire()
            row = np.array([job, flags + 64 * i, idle_spins(isa)], np.int64)
            worker = threading.Thread(target=work, args=(bell, entry, row, i + 1, threads), daemon=True)
            worker.name = f"tinycnn-{i + 1}"
            worker.start()

    def run(self, walker: Entry, code: int, row: int) -> None:
        """Walks with all threads; the caller holds `lock`.

        code  address of the walker
        row   address of its row, which names `barrier`

        An interrupt between any two steps is raised when the walk is over: workers who have a job wait for the caller.
        """
        jobs, generation = self.memory[0], self.memory[8 * self.threads + 8]
        try:
            self.post_row[2:4] = code, row
            self.post(self.post_row.ctypes.data, 0, 0)
            self.wake()
            walker(row, 0, self.threads)
        except BaseException:
            if self.memory[0] != jobs and self.memory[8 * self.threads + 8] == generation:
                self.wake()
                walker(row, 0, self.threads)
            raise

    def wake(self) -> None:
        """Rings for the workers who slept when the job was posted."""
        for i, bell in enumerate(self.bells):
            if self.memory[8 * (i + 1) + 2] and bell.locked():
                bell.release()


def work(bell: threading.Lock, entry: Entry, row: np.ndarray, thread: int, threads: int) -> None:
    address = row.ctypes.data
    while True:
        bell.acquire()
        entry(address, thread, threads)


teams: dict[tuple[int, str], Team] = {}
teams_lock = threading.Lock()


def team(threads: int, isa: str) -> Team:
    """The process's team of this size."""
    with teams_lock:
        if (threads, isa) not in teams:
            teams[threads, isa] = Team(threads, isa)
        return teams[threads, isa]


def forget() -> None:
    """In the child of a fork the workers do not exist."""
    global teams_lock
    teams_lock = threading.Lock()
    teams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
