"""The pages of documentation, run as they stand."""

import os
import re
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinycnn import knobs
from tinycnn.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "features.md").read_text("utf-8")
SHARED = Path(os.environ.get("TINYCNN_SHARED", Path(__file__).parents[2] / "shared"))
ARCHIVE, ZOO = SHARED / "datasets" / "cifar10_jpeg.zip", SHARED / "zoo"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The folder that the page starts from: of each class of CIFAR-10 the first 50 training and 100 test pictures."""
    kinds = "airplane automobile bird cat deer dog frog horse ship truck".split()
    with zipfile.ZipFile(ARCHIVE) as archive:
        for part, count in (("train", 50), ("test", 100)):
            for kind in kinds:
                for name in sorted(n for n in archive.namelist() if n.startswith(f"{part}/{kind}/"))[:count]:
                    archive.extract(name, tmp_path / "photos")
    return tmp_path


@pytest.mark.skipif(not (ARCHIVE.exists() and ZOO.exists()), reason=f"no {ARCHIVE} or {ZOO}")
def test_a_classifier_on_deep_features(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    monkeypatch.chdir(photos)
    monkeypatch.setenv(knobs.ZOO.name, str(ZOO))
    commands = re.findall(r"^    tinycnn (.+)$", PAGE, re.M)
    assert [command.split()[0] for command in commands] == ["pull", "features", "features", "features"]
    for command in commands:
        done = CliRunner().invoke(main, command.split(), catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, object] = {"__name__": "page"}
    exec(program, names)
    [percent] = re.findall(r"names ([\d.]+) % of 1,000 test pictures", PAGE)
    assert names["accuracy"] == pytest.approx(float(percent) / 100, abs=0.02)  # of a thousand, on other processors
