"""A second process that compiles kernels into the cache: within one process Numba and LLVM compile one at a time."""

import contextlib
import functools
import os
import subprocess
import sys

from tinycnn import knobs
from tinycnn.kernels import cache, cpu
from tinycnn.kernels.cpu import native
from tinycnn.kernels.kernel import Kernel
from tinycnn.runtime.team import default_threads


def is_worthwhile() -> bool:
    """Whether there is a processor for it, a cache to hand kernels over in, and a Python interpreter to start, which
    the executable of a program that embeds Python is not."""
    interpreter = os.path.basename(sys.executable or "").startswith("python") and not hasattr(sys, "frozen")
    return interpreter and default_threads() > 1 and cache.cache_folder(knobs.CACHE.get()) is not None


def interpreter_flags() -> list[str]:
    """Those by which this interpreter was told where not to import from; nor does the process from its folder."""
    f = sys.flags
    told = {"-I": f.isolated, "-E": f.ignore_environment, "-s": f.no_user_site, "-S": f.no_site}
    return ["-P", *(flag for flag, is_set in told.items() if is_set)]


class CompilerProcess:
    """Whatever goes wrong in it shows again where the kernel is asked for. Raises OSError if it cannot be started."""

    def __init__(self) -> None:
        command = [sys.executable, *interpreter_flags(), "-m", __name__]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)

    def compile(self, kernel: Kernel) -> bool:
        """Returns when it has done what it can about the kernel; False when it has ended."""
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(OSError, ValueError):
            print(kernel.target, kernel.name, file=self.process.stdin, flush=True)
            return bool(self.process.stdout.readline())
        return False

    def end(self) -> None:
        self.process.kill()
        with contextlib.suppress(OSError):
            self.process.communicate()


@functools.cache
def kernels(target: str) -> dict[str, Kernel]:
    return {kernel.name: kernel for kernel in cpu.all_kernels(target)}


def main() -> None:
    """Compiles what each line of stdin names, and answers with a line."""
    for line in sys.stdin:
        target, name = line.split()
        kernel = kernels(target).get(name)
        if kernel is not None:
            native.compiled(kernel)
        print(name, flush=True)


if __name__ == "__main__":
    main()
