"""The loop that walks a program's rows, and the loop in which the team's workers wait for a program."""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

from tinycnn.kernels.kernel import Kernel, Range, fields


@functools.cache
def walk(isa: str) -> Kernel:
    """Every thread calls every row, and meets the others after each.

    table    per row: address of the entry, address of its slots
    barrier  128 bytes: see `sync.meet`
    """

    def build():
        from tinycnn.kernels.cpu.simd import call, load_i64
        from tinycnn.kernels.cpu.sync import meet

        def walk(table, count, barrier, spins, yielder, thread, threads):
            for i in range(count):
                call(load_i64(table + 16 * i), load_i64(table + 16 * i + 8), thread, threads)
                if threads > 1:
                    meet(barrier, threads, spins, yielder)

        return walk

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        return [Range("table", 0, 16 * a.count), Range("barrier", 0, 128, writes=True)]

    return Kernel(f"walk__{isa}", fields("table:addr count barrier:addr spins yielder"), build, ranges, isa)


STAMP_BYTES = 16  # struct timespec: seconds and nanoseconds


@functools.cache
def walk_timed(isa: str) -> Kernel:
    """`walk`, with the time noted when each thread begins and has done its share of each row. Nothing is noted behind
    the last barrier: the memory may be another's by then.

    clock, kind  address of clock_gettime, and which of its clocks
    stamps       [threads][count][2] struct timespec
    """

    def build():
        from tinycnn.kernels.cpu.simd import call, load_i64
        from tinycnn.kernels.cpu.sync import call_clock, meet

        def walk_timed(table, count, barrier, spins, yielder, clock, kind, stamps, thread, threads):
            at = stamps + thread * count * 2 * STAMP_BYTES
            for i in range(count):
                call_clock(clock, kind, at)
                call(load_i64(table + 16 * i), load_i64(table + 16 * i + 8), thread, threads)
                call_clock(clock, kind, at + STAMP_BYTES)
                at += 2 * STAMP_BYTES
                if threads > 1:
                    meet(barrier, threads, spins, yielder)

        return walk_timed

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        return [
            Range("table", 0, 16 * a.count),
            Range("barrier", 0, 128, writes=True),
            Range("stamps", 0, 2 * a.count * STAMP_BYTES, writes=True, per_thread=True),
        ]

    names = fields("table:addr count barrier:addr spins yielder clock kind stamps:addr")
    return Kernel(f"walk_timed__{isa}", names, build, ranges, isa)


@functools.cache
def post(isa: str) -> Kernel:
    """Hands a job to all workers: job is [sequence, walker's address, walker's row]; flags hold 64 bytes a worker:
    [asleep, sequence seen, woken]. A worker that slept is marked woken; whoever posts must then wake it."""

    def build():
        from tinycnn.kernels.cpu.simd import store_i64
        from tinycnn.kernels.cpu.sync import atomic_add, compare_and_swap

        def post(job, flags, code, row, workers, unused_a, unused_b):
            store_i64(job + 8, code)
            store_i64(job + 16, row)
            atomic_add(job, 1)
            for i in range(workers):
                store_i64(flags + 64 * i + 16, compare_and_swap(flags + 64 * i, 1, 0))

        return post

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        return [Range("job", 0, 24, writes=True), Range("flags", 0, 64 * a.workers, writes=True)]

    return Kernel(f"post__{isa}", fields("job:addr flags:addr code row workers"), build, ranges, isa)


@functools.cache
def serve(isa: str) -> Kernel:
    """A worker's life between two sleeps: walks what is posted, spins a bounded while for more, marks itself asleep."""

    def build():
        from tinycnn.kernels.cpu.simd import call, load_i64, store_i64
        from tinycnn.kernels.cpu.sync import atomic_load, atomic_swap, compare_and_swap, pause

        def serve(job, flag, spins, thread, threads):
            seen = load_i64(flag + 8)
            idle = 0
            while True:
                now = atomic_load(job)
                if now != seen:
                    seen = now
                    store_i64(flag + 8, seen)
                    call(load_i64(job + 8), load_i64(job + 16), thread, threads)
                    idle = 0
                elif idle < spins:
                    idle += 1
                    pause()
                else:
                    atomic_swap(flag, 1)
                    if atomic_load(job) == seen or compare_and_swap(flag, 1, 0) == 0:
                        return
                    idle = 0

        return serve

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        return [Range("job", 0, 24), Range("flag", 0, 64, writes=True)]

    return Kernel(f"serve__{isa}", fields("job:addr flag:addr spins"), build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    return [walk(isa), walk_timed(isa), post(isa), serve(isa)]
