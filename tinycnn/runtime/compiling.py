"""The kernels of a program made ready: with help, and a word to whoever has to wait, when that takes long."""

import collections
import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tinycnn.kernels.cpu import native
from tinycnn.kernels.kernel import Kernel

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from tinycnn.runtime.compiler_process import CompilerProcess

PATIENCE_S = 1.0
"""How long nothing is done about it: kernels from the cache are there sooner."""
STALLED_S = 60.0
"""How long the process may take for its last kernel before this one does without it."""


def addresses(kernels: Sequence[Kernel]) -> list[int]:
    """Addresses of the kernels' entries; what is in no cache is compiled.

    Raises CompileError as `native.address` does.
    """
    missing = [kernel for kernel in kernels if not native.is_ready(kernel)]
    if missing:
        with Help(missing) as left:
            for kernel in left:
                native.address(kernel)
    return [native.address(kernel) for kernel in kernels]


class Help:
    """Kernels to compile, taken from the front by this thread. From PATIENCE_S on a process takes them from the back,
    and a bar on the terminal or notebook of stderr, if there is one, tells how many are done."""

    def __init__(self, kernels: Sequence[Kernel]):
        self.left = collections.deque(kernels)
        self.done, self.total = 0, len(kernels)
        self.progress: Progress | None = None
        self.process: CompilerProcess | None = None
        self.over = False
        self.lock = threading.Lock()
        self.timer = threading.Timer(PATIENCE_S, self.arrive)
        self.timer.daemon = True

    def __enter__(self) -> Iterator[Kernel]:
        with contextlib.suppress(RuntimeError):  # a process that may start no thread goes on without
            self.timer.start()
        return self.take()

    def take(self) -> Iterator[Kernel]:
        """What is left, until the process, too, has done with its last one, or seems to hang."""
        while self.left:
            try:
                kernel = self.left.popleft()
            except IndexError:
                break
            yield kernel
            self.tell()
        self.timer.cancel()
        if self.timer.ident:
            self.timer.join(STALLED_S)

    def __exit__(self, *error: object) -> None:
        self.timer.cancel()
        with self.lock:
            self.over = True
            self.leave()

    def leave(self) -> None:
        if self.process:
            self.process.end()
        if self.progress:
            self.progress.stop()

    def arrive(self) -> None:
        """Gives kernels to the process as long as some are left."""
        progress, process = bar(self.total), start() if len(self.left) > 1 else None
        with self.lock:
            self.progress, self.process = progress, process
            self.draw()
            if self.over:
                self.leave()
        while process:
            try:
                kernel = self.left.pop()
            except IndexError:
                return
            if not process.compile(kernel):
                self.left.append(kernel)
                return
            self.tell()

    def tell(self) -> None:
        with self.lock:
            self.done += 1
            self.draw()

    def draw(self) -> None:
        if self.progress:
            self.progress.update(self.progress.task_ids[0], completed=self.done)


def start() -> "CompilerProcess | None":
    from tinycnn.runtime import compiler_process

    with contextlib.suppress(OSError):
        return compiler_process.CompilerProcess() if compiler_process.is_worthwhile() else None
    return None


def bar(total: int) -> "Progress | None":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    terminal = console()
    if not (terminal.is_terminal or terminal.is_jupyter):
        return None
    columns = "{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    progress = Progress(*columns, console=terminal, transient=True, redirect_stdout=False, redirect_stderr=False)
    progress.add_task("compiling kernels, once on this machine", total=total)
    progress.start()
    return progress


def console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)
