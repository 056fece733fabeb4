"""Whoever waits for kernels is told, and who does not wait is told nothing."""

import io
import threading

import pytest
from rich.console import Console

from tinycnn.errors import CompileError
from tinycnn.kernels.cpu import native
from tinycnn.kernels.kernel import Kernel
from tinycnn.runtime import compiling

KERNELS = [Kernel(f"kernel_{i}", (), lambda: lambda: None, lambda row: [], "portable") for i in range(3)]


class Compiler:
    """Compiles nothing. Takes as long over each kernel as the bar needs to show how many came before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, terminal: bool):
        self.text, self.waits = io.StringIO(), terminal
        console = Console(file=self.text, force_terminal=terminal, width=120)
        monkeypatch.setattr(compiling, "console", lambda: console)
        monkeypatch.setattr(native, "address", self.address)
        monkeypatch.setattr(native, "addresses", {})

    def address(self, kernel: Kernel) -> int:
        if kernel is KERNELS[2] and not self.waits:
            raise CompileError("no such instruction")
        number = KERNELS.index(kernel)
        while self.waits and f"{number}/{len(KERNELS)}" not in self.text.getvalue():
            threading.Event().wait(0.01)
        return number


def test_a_bar_tells_how_many_kernels_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PATIENCE_S", 0.0)
    compiler = Compiler(monkeypatch, terminal=True)
    assert compiling.addresses(KERNELS) == [0, 1, 2]
    assert "compiling" in compiler.text.getvalue()


@pytest.mark.parametrize("patience_s", [0.0, threading.TIMEOUT_MAX])
def test_nothing_is_written_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch, patience_s: float) -> None:
    monkeypatch.setattr(compiling, "PATIENCE_S", patience_s)
    compiler = Compiler(monkeypatch, terminal=False)
    assert compiling.addresses(KERNELS[:2]) == [0, 1]
    with pytest.raises(CompileError, match="no such instruction"):
        compiling.addresses(KERNELS)
    assert compiler.text.getvalue() == ""


def test_a_process_that_may_start_no_thread_compiles_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    Compiler(monkeypatch, terminal=False)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert compiling.addresses(KERNELS[:2]) == [0, 1]
