"""The kernels of a program made ready, and a word to whoever has to wait for it."""

import contextlib
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinycnn.kernels.cpu import native
from tinycnn.kernels.kernel import Kernel

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PATIENCE_S = 1.0
"""How long nobody is told anything: kernels from the cache are there sooner."""


def addresses(kernels: Sequence[Kernel]) -> list[int]:
    """Addresses of the kernels' entries. What is in no cache is compiled, and a bar says so if that takes long.

    Raises CompileError as `native.address` does.
    """
    if all(kernel.name in native.addresses for kernel in kernels):
        return [native.address(kernel) for kernel in kernels]
    found: list[int] = []
    with Bar(len(kernels)) as bar:
        for kernel in kernels:
            found.append(native.address(kernel))
            bar.tell(len(found))
    return found


class Bar:
    """A bar on the terminal or notebook of stderr, if there is one, from PATIENCE_S on until the block ends."""

    def __init__(self, total: int):
        self.done, self.total = 0, total
        self.progress: Progress | None = None
        self.over = False
        self.lock = threading.Lock()
        self.timer = threading.Timer(PATIENCE_S, self.show)
        self.timer.daemon = True

    def __enter__(self) -> "Bar":
        with contextlib.suppress(RuntimeError):  # a process that may start no thread goes on without
            self.timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.timer.cancel()
        with self.lock:
            self.over = True
            if self.progress:
                self.progress.stop()

    def tell(self, done: int) -> None:
        with self.lock:
            self.done = done
            self.draw()

    def show(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        terminal = console()
        if not (terminal.is_terminal or terminal.is_jupyter):
            return
        with self.lock:
            if not self.over:
                columns = "{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
                self.progress = Progress(*columns, console=terminal, transient=True)
                self.progress.add_task("compiling kernels, once on this machine", total=self.total)
                self.progress.start()
                self.draw()

    def draw(self) -> None:
        if self.progress:
            self.progress.update(self.progress.task_ids[0], completed=self.done)


def console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)
