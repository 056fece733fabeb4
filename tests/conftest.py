"""What the terminal shows of a run, beyond pytest's own."""

from collections import Counter
from typing import Any

SUITE = "test_backend_suite.py::Onnx"


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
