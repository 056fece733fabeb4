"""Convolutions of well-known networks, from the text files in `shapes/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "shapes"


@dataclass(frozen=True)
class Shape:
    """One convolution; sizes in elements."""

    network: str
    n: int
    ci: int
    h: int
    w: int
    co: int
    kh: int
    kw: int
    sh: int
    sw: int
    pt: int
    pl: int
    pb: int
    pr: int
    dh: int
    dw: int
    g: int

    @property
    def oh(self) -> int:
        return (self.h + self.pt + self.pb - self.dh * (self.kh - 1) - 1) // self.sh + 1

    @property
    def ow(self) -> int:
        return (self.w + self.pl + self.pr - self.dw * (self.kw - 1) - 1) // self.sw + 1

    @property
    def macs(self) -> int:
        return self.n * self.co * self.oh * self.ow * (self.ci // self.g) * self.kh * self.kw

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """x [n, ci, h, w] and w [co, ci / g, kh, kw], standard normal f32."""
        rng = np.random.default_rng(0)
        return (
            rng.standard_normal((self.n, self.ci, self.h, self.w), np.float32),
            rng.standard_normal((self.co, self.ci // self.g, self.kh, self.kw), np.float32),
        )

    def __str__(self) -> str:
        stride = f"s{self.sh}" if self.sh > 1 else ""
        groups = f"g{self.g}" if self.g > 1 else ""
        parts = (
            self.network,
            f"{self.n}x{self.ci}x{self.h}x{self.w}",
            f"{self.co}x{self.kh}x{self.kw}{stride}{groups}",
        )
        return "-".join(parts)


def read(path: Path) -> Iterator[Shape]:
    """Shapes of one file: sixteen numbers a line in the order of `Shape`'s fields; # begins a comment."""
    for line in path.read_text("utf-8").splitlines():
        numbers = line.partition("#")[0].split()
        if numbers:
            yield Shape(path.stem, *map(int, numbers))


def networks() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.txt"))
