"""Which of the CUDA tests can run here."""

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
    reasons = {
        "cudasim": None if simulated else "NUMBA_ENABLE_CUDASIM is 0",
        "gpu": "NUMBA_ENABLE_CUDASIM is 1, as it is unless set to 0" if simulated else no_device(),
    }
    for item in items:
        if item.get_closest_marker("cudasim"):  # NumPy warns where a device computes with infinities
            item.add_marker(pytest.mark.filterwarnings("ignore::RuntimeWarning"))
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def no_device() -> str | None:
    from tinycnn.errors import DeviceError
    from tinycnn.kernels.cuda.driver import open_gpu

    try:
        open_gpu()
    except DeviceError as error:
        return str(error)
    return None
