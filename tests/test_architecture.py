"""The shape of the sources, as data: who may import whom, names, sizes."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import pytest

from tinycnn.kernels import cpu, cuda
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cuda.device import CAPABILITIES

ROOT = Path(__file__).parents[1]
SOURCES = {"tinycnn": ROOT / "tinycnn", "tinycnn.converters": ROOT / "converters", "tinycnn.models": ROOT / "models"}

# Lowest first: a module imports from the rungs below its own, and from its own package.
LADDER = (
    {"errors"},
    {"knobs", "stages"},
    {"ir"},
    {"ops"},
    {"passes", "kernels"},
    {"planner"},
    {"runtime"},
    {"source"},
    {"session"},
    {"picture_model"},
    {"summary", "feeds", "classify", "onnx_backend"},
    {"benchmark", "features", "show"},
    {"profile", "tune"},
    {"cli"},
    {"__main__"},
)
RUNG = {name: height for height, rung in enumerate(LADDER) for name in rung}
# Beside the ladder: they see it up to the operators, and are seen from the source of a session upwards.
ASIDE = {"converters", "models"}
ASIDE_SEE, ASIDE_SEEN_FROM = RUNG["ops"], RUNG["source"]

# Modules that kernels are compiled from: they may import compilers at once, and only kernels' `build` imports them.
COMPILERS = {f"{package.__name__}.{name}" for package in (cpu, cuda) for name in package.COMPILERS}

# Packages besides the standard library and NumPy, and where they may be imported when the module is.
THIRD_PARTY = {
    "click": {"tinycnn.cli"},
    "PIL": {"tinycnn.models"},
    "onnx": {"tinycnn.converters.onnx", "tinycnn.onnx_backend"},
    "google": {"tinycnn.converters.onnx"},
    "numba": COMPILERS,
    "llvmlite": COMPILERS,
}
# And where functions may import them, as they need them.
LATER = {
    "rich": {"tinycnn.cli", "tinycnn.runtime.compiling"},
    "pooch": {"tinycnn.models.zoo.download"},
    "onnxruntime": {"tinycnn.benchmark"},
    "matplotlib": {"tinycnn.profile.plot"},
    "numba": {"tinycnn.kernels.cpu", "tinycnn.kernels.cuda"},
    "llvmlite": {"tinycnn.kernels.cpu"},
    "cuda": {"tinycnn.kernels.cuda", "tinycnn.runtime.device_array"},
}

# Of the standard library and beyond, what opens connections.
CONNECTING = {"asyncio", "ftplib", "http", "pooch", "requests", "smtplib", "socket", "ssl", "urllib.request", "urllib3"}

KERNEL_NAME = re.compile(
    r"[a-z]+(_[a-z0-9]+)*_(f32|tf32|bf16|f16)(_nchw(\d+c)?)?(_\d+x\d+)?__(avx512|avx2|portable|sm_\d+)"
    r"|(walk|walk_timed|post|serve)__(avx512|avx2|portable)"
)
MOST_LINES = 500
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "base", "tools"}


@dataclass(frozen=True)
class Import:
    """One imported name. `later`: inside a function."""

    name: str
    line: int
    later: bool


@dataclass(frozen=True)
class Source:
    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> list[Import]:
        return list(imports(self.tree))

    @property
    def part(self) -> str:
        """The module or package directly under tinycnn; "" for tinycnn itself."""
        return [*self.name.split("."), ""][1]

    def __str__(self) -> str:
        return self.name


def sources() -> Iterator[Source]:
    for package, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            relative = path.relative_to(folder)
            if all((folder.joinpath(*relative.parts[:i]) / "__init__.py").exists() for i in range(len(relative.parts))):
                parts = [package, *relative.with_suffix("").parts]
                yield Source(".".join(parts).removesuffix(".__init__"), path)


def is_for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(node: ast.AST, later: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, later) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: a relative import"
            names = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (Import(name, child.lineno, later) for name in names)
        elif not is_for_types_only(child):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, later or inside)


ALL = list(sources())
every_source = pytest.mark.parametrize("source", ALL, ids=str)


def is_within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def may_see(part: str, other: str) -> bool:
    if part in ("", other):
        return True
    if part in ASIDE:
        return RUNG.get(other, 99) <= ASIDE_SEE
    if other in ASIDE:
        return RUNG[part] >= ASIDE_SEEN_FROM
    return RUNG[other] < RUNG[part]


def test_every_module_has_its_rung() -> None:
    assert {source.part for source in ALL} - {""} <= {*RUNG, *ASIDE}


@every_source
def test_imports_point_down_the_ladder(source: Source) -> None:
    seen = [(i, i.name.split(".")[1]) for i in source.imports if i.name.startswith("tinycnn.")]
    wrong = [f"line {i.line}: {i.name}" for i, other in seen if other[:2] != "__" and not may_see(source.part, other)]
    assert not wrong


@every_source
def test_kernel_folders_do_not_see_each_other(source: Source) -> None:
    folder = ".".join(source.name.split(".")[:3])
    if not folder.startswith("tinycnn.kernels"):
        return
    others = {"tinycnn.kernels.cpu", "tinycnn.kernels.cuda"} - {folder}
    assert [i for i in source.imports if is_within(i.name, others)] == []


@every_source
def test_other_packages_are_imported_only_where_they_belong(source: Source) -> None:
    ours = {"tinycnn", "numpy", *sys.stdlib_module_names}
    wrong = []
    for i in source.imports:
        package = i.name.split(".")[0]
        allowed = THIRD_PARTY.get(package, set()) | (LATER.get(package, set()) if i.later else set())
        if package not in ours and not is_within(source.name, allowed):
            wrong.append(f"line {i.line}: {i.name}")
    assert not wrong


@every_source
def test_only_the_download_can_open_a_connection(source: Source) -> None:
    if source.name != "tinycnn.models.zoo.download":
        assert [i for i in source.imports if is_within(i.name, CONNECTING)] == []


@every_source
def test_compilers_are_imported_only_inside_kernels(source: Source) -> None:
    if source.name not in COMPILERS:
        assert [i for i in source.imports if is_within(i.name, COMPILERS) and not i.later] == []


@every_source
def test_files_stay_readable(source: Source) -> None:
    assert len(source.text.splitlines()) <= MOST_LINES
    assert source.path.stem not in EMPTY_NAMES
    assert ast.get_docstring(source.tree), "a module says what it is for"


@every_source
def test_the_environment_is_read_in_one_place(source: Source) -> None:
    read = re.findall(r"\bos\.(?:environ(?!\.setdefault)|getenv)\b", source.text)
    assert source.name == "tinycnn.knobs" or not read


TARGETS = [*((cpu, isa) for isa in ISAS), *((cuda, f"sm_{capability}") for capability in CAPABILITIES)]


@pytest.mark.parametrize(("platform", "target"), [pytest.param(*t, id=t[1]) for t in TARGETS])
def test_kernel_names_follow_the_grammar(platform: ModuleType, target: str) -> None:
    names = [kernel.name for kernel in platform.all_kernels(target)]
    assert [name for name in names if not KERNEL_NAME.fullmatch(name) or not name.endswith(f"__{target}")] == []
    assert len(names) == len(set(names))


def loaded_by(code: str) -> set[str]:
    """Modules that the code brings into a fresh interpreter."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_tinycnn_only_defines_names() -> None:
    loaded = loaded_by("import tinycnn; dir(tinycnn); tinycnn.__all__")
    assert {name for name in loaded if name.split(".")[0] == "tinycnn"} == {"tinycnn"}
    assert {name.split(".")[0] for name in loaded} <= {"tinycnn", *sys.stdlib_module_names}


def test_the_api_brings_neither_compiler_nor_format() -> None:
    loaded = loaded_by("import tinycnn; tinycnn.InferenceSession, tinycnn.Graph, tinycnn.load, tinycnn.TinyCnnError")
    assert loaded.isdisjoint({"numba", "llvmlite", "onnx", "onnxruntime", "PIL", "click", "rich"})


def test_the_command_line_starts_light() -> None:
    loaded = loaded_by("import tinycnn.cli")
    assert loaded.isdisjoint({"numba", "llvmlite", "onnx", "onnxruntime", "PIL", "numpy", "rich"})
