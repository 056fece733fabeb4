"""The work of an inference on CUDA, on a device that computes nothing: what is copied, and what waits for what."""

from collections.abc import Callable

import numpy as np

from tests.planner.programs import chain, node, normal
from tests.runtime.null_device import RESULT, NullDevice, Spans, touched
from tests.runtime.programs import every_graph, feeds, program
from tinycnn.ir import Graph, TensorSpec
from tinycnn.kernels.cuda.driver import Copy, Launch
from tinycnn.runtime.executor_cuda import Executor


@every_graph
def test_feeds_and_results_pass_through_staging_memory(make: Callable[[], Graph]) -> None:
    device, p = NullDevice(), program(make())
    executor = Executor(p, device)
    ports = (*p.inputs, *p.outputs)
    assert [memory.nbytes for memory in device.staging] == [port.spec.nbytes for port in ports]
    x = feeds(p)
    results = executor.run(x)
    [work] = device.works
    copies = [task for task in work.tasks if isinstance(task, Copy)]
    ways = ["to device"] * len(p.inputs) + ["to host"] * len(p.outputs)
    assert [(c.kind, c.nbytes) for c in copies] == list(zip(ways, (s.nbytes for s in device.staging), strict=True))
    hosts = [c.source if c.kind == "to device" else c.target for c in copies]
    assert hosts == [memory.ctypes.data for memory in device.staging]
    assert [device.held[c.target] for c in copies[: len(x)]] == [a.tobytes() for a in x]
    for y, port in zip(results, p.outputs, strict=True):
        assert (y.shape, y.dtype) == (port.spec.dims, port.spec.dtype)
        assert y.tobytes() == bytes([RESULT]) * port.spec.nbytes
        assert not any(np.shares_memory(y, memory) for memory in device.staging)


def meet(one: Spans, other: Spans) -> bool:
    return any(a < d and c < b for a, b in one for c, d in other)


@every_graph
def test_tasks_wait_for_those_whose_bytes_they_need_and_for_no_others(make: Callable[[], Graph]) -> None:
    device, p = NullDevice(), program(make())
    executor = Executor(p, device)
    tasks = device.works[0].tasks
    kinds = [task.kind if isinstance(task, Copy) else "launch" for task in tasks]
    assert kinds == ["to device"] * len(p.inputs) + ["launch"] * len(p.rows) + ["to host"] * len(p.outputs)
    spans = [touched(task, device) for task in tasks]
    before: list[set[int]] = []
    for i, task in enumerate(tasks):
        assert all(j < i for j in task.after)
        before.append(set(task.after).union(*(before[j] for j in task.after)))
        reads, writes = spans[i]
        needed = {j for j in range(i) if meet(writes, [*spans[j][0], *spans[j][1]]) or meet(reads, spans[j][1])}
        assert set(task.after) <= needed <= before[i], f"task {i} of {kinds}"
    del executor


@every_graph
def test_every_address_lies_in_the_arena_or_in_weights(make: Callable[[], Graph]) -> None:
    device, p = NullDevice(), program(make())
    executor = Executor(p, device)
    arena = (executor.contexts[0][1].arena, p.arena_bytes)
    for task in device.works[0].tasks:
        reads, writes = touched(task, device)
        if isinstance(task, Launch):
            for spans, homes in ((reads, {arena, *device.live.items()}), (writes, {arena})):
                for start, stop in spans:
                    home, size = device.extent(start)
                    assert (home, size) in homes and stop <= home + size


def test_values_without_elements_are_not_copied() -> None:
    """No operator on them has a kernel, but they may stand beside others."""
    nothing = {"nothing": TensorSpec.f32(0, 3)}
    graph = chain((2, 3), node("Sigmoid", "x", "y"))
    p = program(graph.replace(inputs={**graph.inputs, **nothing}, outputs=("y", "nothing"), specs={}).replace(
        specs={**graph.specs, **nothing}))  # fmt: skip
    device = NullDevice()
    y, none = Executor(p, device).run([normal(2, 3), np.zeros((0, 3), np.float32)])
    assert (y.shape, none.shape) == ((2, 3), (0, 3))
    assert all(nbytes > 0 for *_, nbytes in device.copies)
