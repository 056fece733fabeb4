"""What is measured of the machine."""

import pytest

from tests.kernels.cpu.every import available
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.profile.machine import Machine, measure


@pytest.mark.parametrize("name", ISAS)
def test_rates_are_numbers(name: str) -> None:
    machine = measure(available(name), 2, read_bytes=1 << 16)
    assert machine.core_gflops > 0 and machine.read_gbs > 0


def test_the_peak_of_all_threads() -> None:
    assert Machine(4, 50.0, 20.0).gflops == 200.0
