"""Which of the CUDA tests can run here, and what the terminal shows of a run beyond pytest's own."""

import os
import re
from collections import Counter
from typing import Any

import pytest

SUITE = "test_backend_suite.py::Onnx"


def pytest_configure() -> None:
    if asked := os.environ.get("TINYCNN_GPU"):
        from tests.kernels.cuda import software

        if not re.fullmatch(r"software(-\d\.\d)?", asked):
            raise pytest.UsageError(f"TINYCNN_GPU is {asked!r}: it must be software, or as software-7.5")
        if reason := software.unavailable():
            raise pytest.UsageError(reason)
        software.install()


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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The counts of the onnx package's backend suite: passed, refused by operator, wrong, crashed."""
    ours = {
        outcome: [r for r in terminalreporter.stats.get(outcome, ()) if SUITE in getattr(r, "nodeid", "")]
        for outcome in ("passed", "skipped", "failed", "error")
    }
    if not any(ours.values()):
        return
    # A skip's report is (path, line, "Skipped: Dropout (opset 22) ...").
    refused = Counter(r.longrepr[2].removeprefix("Skipped: ").split(" (opset")[0] for r in ours["skipped"])
    broken = [*ours["failed"], *ours["error"]]
    wrong = sum("AssertionError" in str(r.longrepr).splitlines()[-1] for r in broken)
    listed = ", ".join(f"{operator} {count}" for operator, count in sorted(refused.items()))
    terminalreporter.section("onnx backend suite")
    terminalreporter.line(
        f"passed {len(ours['passed'])}, refused {refused.total()}{f' ({listed})' if listed else ''}, "
        f"wrong {wrong}, crashed {len(broken) - wrong}"
    )
    for report in ours["skipped"]:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        terminalreporter.line(f"refused {report.nodeid.split('::')[-1]}: {reason}")
