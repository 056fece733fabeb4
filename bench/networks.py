"""Writes classic networks with random weights, those that the onnx package holds and more of this project's.

python bench/networks.py FOLDER [NAME ...]
"""

import sys
from pathlib import Path

import onnx

sys.path.append(str(Path(__file__).parents[1]))

from tests.cases.networks import NAMES, twin
from tinycnn.converters import save_onnx
from tinycnn.models import build

OURS = ("lenet5", "mobilenet_v1", "mobilenet_v2", "resnet18", "resnext50_32x4d", "vgg16")


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or (*NAMES, *OURS):
        file = folder / f"{name}.onnx"
        if name in NAMES:
            onnx.save(twin(name), file)
        else:
            save_onnx(build(name), file)
        print(file)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
