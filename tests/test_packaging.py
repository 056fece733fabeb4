"""What is built and installed: every package of the checkout, the data files, and one name at the top."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

import pytest

import tinycnn

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = SETUPTOOLS["package-dir"]


def packages_in_checkout() -> set[str]:
    found = set()
    for package, folder in FOLDERS.items():
        for path in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([package, *path.parent.relative_to(ROOT / folder).parts]))
    return found


def test_the_list_of_packages_is_that_of_the_checkout() -> None:
    listed = SETUPTOOLS["packages"]
    assert len(listed) == len(set(listed))
    assert set(listed) == packages_in_checkout()


def test_the_versions_agree() -> None:
    assert PROJECT["project"]["version"] == tinycnn.__version__
    assert f"## {tinycnn.__version__}\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_installed_distribution_has_one_name_at_the_top() -> None:
    assert distribution("tinycnn").read_text("top_level.txt") == "tinycnn\n"


def test_the_command_is_installed() -> None:
    scripts = {entry.name: entry.value for entry in distribution("tinycnn").entry_points}
    assert scripts == {"tinycnn": "tinycnn.cli:main"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names in a wheel that is built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in {*FOLDERS.values(), "pyproject.toml", "README.md", "LICENSE"}:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / "source").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=folder / "source", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return archive.namelist()


def test_the_wheel_holds_every_package_and_data_file(wheel: list[str]) -> None:
    for package, folder in FOLDERS.items():
        home = PurePosixPath(*package.split("."))
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT / folder)
            is_module = path.suffix == ".py" and (path.parent / "__init__.py").exists()
            if is_module or path.suffix in (".toml", ".onnx", ".png", ".txt", ".typed"):
                assert str(home / PurePosixPath(inside.as_posix())) in wheel


def test_the_wheel_holds_nothing_else(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"tinycnn", f"tinycnn-{tinycnn.__version__}.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
    assert [name for name in wheel if "training" in name or "tests" in name or "bench/" in name] == []
