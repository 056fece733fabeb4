"""Writes the classic networks that the onnx package holds, with random weights: python bench/networks.py FOLDER."""

import sys
from pathlib import Path

import onnx

sys.path.append(str(Path(__file__).parents[1]))

from tests.cases.networks import NAMES, twin


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or NAMES:
        onnx.save(twin(name), folder / f"{name}.onnx")
        print(folder / f"{name}.onnx")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
