"""Whoever waits for kernels gets help and is told, and who does not wait is told nothing."""

import io
import itertools
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from tinycnn import knobs
from tinycnn.errors import CompileError
from tinycnn.kernels import cache
from tinycnn.kernels.cpu import native
from tinycnn.kernels.cpu.walk import post, serve, walk
from tinycnn.kernels.kernel import Kernel
from tinycnn.runtime import compiler_process, compiling

KERNELS = [Kernel(f"kernel_{i}", (), lambda: lambda: None, lambda row: [], "portable") for i in range(3)]
SMALL = [post("portable"), serve("portable"), walk("portable")]


class Compiler:
    """Compiles nothing. Takes as long over each kernel as the bar needs to show how many came before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, terminal: bool):
        self.text, self.waits = io.StringIO(), terminal
        console = Console(file=self.text, force_terminal=terminal, width=120)
        monkeypatch.setattr(compiling, "console", lambda: console)
        monkeypatch.setattr(compiling, "start", lambda: None)
        monkeypatch.setattr(native, "address", self.address)
        monkeypatch.setattr(native, "is_ready", lambda kernel: False)

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


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel is loaded or cached, no time is lost, and a second processor is there."""
    monkeypatch.setattr(native, "addresses", {})
    monkeypatch.setenv(knobs.CACHE.name, str(tmp_path / "kernels"))
    monkeypatch.setattr(compiler_process, "default_threads", lambda: 2)
    monkeypatch.setattr(compiling, "PATIENCE_S", 0.0)


@pytest.mark.usefixtures("empty")
def test_a_second_process_compiles_from_the_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    here, address, machine_code, there = list[Kernel](), native.address, native.machine_code, native.place(SMALL[-1])
    assert there is not None

    def recorded(kernel: Kernel) -> bytes:
        here.append(kernel)
        return machine_code(kernel)

    def slowly(kernel: Kernel) -> int:
        waits = itertools.count()
        while not there.exists() and next(waits) < 10_000:
            threading.Event().wait(0.01)
        return address(kernel)

    monkeypatch.setattr(native, "machine_code", recorded)
    monkeypatch.setattr(native, "address", slowly)
    assert compiling.addresses(SMALL) == [native.addresses[kernel.name] for kernel in SMALL]
    assert SMALL[0] in here and SMALL[-1] not in here


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("content", ["#!/bin/sh\nexit 1", "#!/bin/sh\nread line", "no program"])
def test_a_second_process_that_fails_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text(content)
    interpreter.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    assert compiler_process.is_worthwhile()
    found = compiling.addresses(SMALL)
    assert found == [native.addresses[kernel.name] for kernel in SMALL]


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize("executable", ["", "/opt/game/bin/game"])
def test_no_other_program_is_started(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    assert not compiler_process.is_worthwhile()


@pytest.mark.usefixtures("empty")
def test_nothing_is_started_without_a_cache_to_hand_kernels_over_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiler_process.is_worthwhile()
    monkeypatch.setattr(cache, "cache_folder", lambda wish: None)
    assert not compiler_process.is_worthwhile()
