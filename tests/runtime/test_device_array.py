"""Feeds and results that lie on the device."""

from types import SimpleNamespace

import pytest

from tests.planner.programs import chain, node
from tests.runtime.null_device import NullDevice, foreign, touched
from tests.runtime.programs import feeds, program, two_and_two
from tinycnn.kernels.cuda.driver import Copy
from tinycnn.planner.program import Port
from tinycnn.runtime.device_array import DeviceArray
from tinycnn.runtime.executor_cuda import CONTEXTS_KEPT, Executor


def there(device: NullDevice, port: Port) -> SimpleNamespace:
    return foreign(device.allocate(port.spec.nbytes), port.spec.dims, port.spec.dtype.str)


@pytest.mark.parametrize("on_device", [(True, True), (True, False), (False, True)])
def test_feeds_on_the_device_are_read_where_they_lie(on_device: tuple[bool, bool]) -> None:
    device, p = NullDevice(), program(two_and_two())
    executor = Executor(p, device)
    given = [there(device, port) if yes else x for yes, port, x in zip(on_device, p.inputs, feeds(p), strict=True)]
    staged, earlier = len(device.staging), set(device.live)
    results = executor.run(given)
    work = device.works[-1]
    assert device.waits == 1 and work.runs == 1
    copies = [task for task in work.tasks if isinstance(task, Copy)]
    assert [(c.kind, c.nbytes) for c in copies] == [
        ("to device", port.spec.nbytes) for yes, port in zip(on_device, p.inputs, strict=True) if not yes
    ]
    assert [memory.nbytes for memory in device.staging[staged:]] == [c.nbytes for c in copies]
    reads = {start for task in work.tasks for start, _ in touched(task, device)[0]}
    writes = {start for task in work.tasks for start, _ in touched(task, device)[1]}
    for yes, feed in zip(on_device, given, strict=True):
        if yes:
            assert feed.__cuda_array_interface__["data"][0] in reads - writes
    made = [y for y in results if isinstance(y, DeviceArray)]
    assert [(y.shape, y.dtype) for y in made] == [(port.spec.dims, port.spec.dtype) for port in p.outputs]
    assert not earlier & {y.address for y in made} and {y.address for y in made} <= set(device.live)
    moved = [c for c in device.copies if c[0] == "on device"]
    assert [(target, nbytes) for _, _, target, nbytes in moved] == [(y.address, y.nbytes) for y in made]
    for (_, source, _, _), port in zip(moved, p.outputs, strict=True):
        [context] = [c for key, c in executor.contexts if key != (None, None)]
        assert source == context.arena + (p.buffers[port.buffer].offset or 0) + port.offset
    addresses = {y.address for y in made}
    del made, results
    assert not addresses & set(device.live)


def test_a_result_that_is_a_view_of_a_feed_on_the_device() -> None:
    device, p = NullDevice(), program(chain((2, 3, 4), node("Flatten", "x", "y")))
    executor = Executor(p, device)
    feed = there(device, p.inputs[0])
    executor.run([feed])
    assert device.copies[-1][:2] == ("on device", feed.__cuda_array_interface__["data"][0])


def test_contexts_for_feeds_on_the_device_are_bounded() -> None:
    device, p = NullDevice(), program(chain((2, 3, 4), node("Sigmoid", "x", "y")))
    executor = Executor(p, device)
    given = [there(device, p.inputs[0]) for _ in range(2 * CONTEXTS_KEPT)]
    for feed in given:
        executor.run([feed])
    executor.run(given[-1:])
    assert device.works[-1].runs == 2
    assert list(device.live.values()).count(p.arena_bytes) == CONTEXTS_KEPT
