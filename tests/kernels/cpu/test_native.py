"""The cache of compiled kernels: never stale, never trusted blindly, and never a reason to fail."""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tinycnn import knobs
from tinycnn.errors import CompileError, OptionError
from tinycnn.kernels import cache
from tinycnn.kernels.cpu import isa, native, softmax
from tinycnn.kernels.kernel import Kernel, Range, fields

ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def build():  # type: ignore[no-untyped-def]
    from tinycnn.kernels.cpu.simd import store_i64

    def store_sum(to, a, b, thread, threads):
        store_i64(to, a + b)

    return store_sum


build.__module__ = softmax.__name__  # the digest reads sources of the kernels' own folder


def touched(v: SimpleNamespace) -> list[Range]:
    return [Range("to", 0, 8, writes=True)]


SUM = Kernel("test_sum__portable", fields("to:addr a b"), build, touched, "portable")


def run_sum(a: int, b: int) -> int:
    result = np.zeros(1, np.int64)
    row = np.array([result.ctypes.data, a, b], np.int64)
    ENTRY(native.address(SUM))(row.ctypes.data, 0, 1)
    return int(result[0])


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(native, "addresses", {})
    cache.cache_folder.cache_clear()
    yield
    cache.cache_folder.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(knobs.CACHE.name, str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def objects(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.o"))


def forbid_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kernel: Kernel) -> None:
        raise AssertionError(f"{kernel.name} is compiled again")

    monkeypatch.setattr(native, "compile_ir", refuse)


def test_a_kernel_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not native.is_ready(SUM)
    assert run_sum(3, 4) == 7
    assert len(objects(folder)) == 1
    assert [p for p in folder.iterdir() if p.suffix != ".o"] == []
    native.addresses.clear()
    forbid_compilation(monkeypatch)
    assert native.is_ready(SUM)
    assert run_sum(30, 4) == 34


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "random", "folder"])
def test_a_damaged_object_is_compiled_again(folder: Path, damage: str) -> None:
    run_sum(0, 0)
    (path,) = objects(folder)
    good = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        middle = len(good) // 2
        path.write_bytes(
            {
                "empty": b"",
                "truncated": good[:middle],
                "flipped": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
                "random": np.random.default_rng(0).bytes(len(good)),
            }[damage]
        )
    native.addresses.clear()
    assert not native.is_ready(SUM)
    assert run_sum(5, 6) == 11
    native.addresses.clear()
    assert native.is_ready(SUM) == (damage != "folder")


def test_a_folder_that_cannot_be_written_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(knobs.CACHE.name, str(tmp_path / "file" / "kernels"))
    assert native.place(SUM) is None
    assert run_sum(1, 2) == 3


def test_the_temporary_folder_stands_in_for_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.delenv(knobs.CACHE.name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    place = native.place(SUM)
    assert place is not None
    assert place.parent.parent == tmp_path
    assert place.parent.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no POSIX permissions")
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_is_not_used(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    assert native.place(SUM) is None
    assert run_sum(1, 2) == 3
    assert objects(folder) == []


def test_a_full_disk_leaves_nothing_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    assert run_sum(1, 2) == 3
    assert list(folder.iterdir()) == []


def test_the_digest_follows_what_the_object_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"name": "other"}, {"fields": fields("to:addr a c")}, {"features": "+avx512vnni"}
    digests = {native.digest(replace(SUM, **change)) for change in ({}, *changes)}
    monkeypatch.setattr(native, "version", lambda package: "0")
    digests.add(native.digest(SUM))
    monkeypatch.setattr(cache, "source", lambda platform, module: b"changed")
    digests.add(native.digest(SUM))
    assert len(digests) == 6


def test_the_sources_behind_a_kernel_are_found_through_their_imports() -> None:
    text = cache.source("cpu", softmax.__name__.rpartition(".")[2])
    for name in ("softmax", "simd", "vmath"):
        assert (native.HERE / f"{name}.py").read_bytes() in text


def test_parameters_that_are_not_the_fields_are_refused() -> None:
    with pytest.raises(CompileError, match="test_sum__portable: its parameters"):
        native.compile_ir(replace(SUM, fields=fields("to:addr b a")))


def test_a_symbol_from_outside_is_refused() -> None:
    def build():  # type: ignore[no-untyped-def]
        import math

        from tinycnn.kernels.cpu.simd import store_f32

        def store_gamma(to, x, thread, threads):
            store_f32(to, math.gamma(x))

        return store_gamma

    with pytest.raises(CompileError, match="needs symbols from outside"):
        native.compile_ir(Kernel("test_gamma__portable", fields("to:addr x:f32"), build, touched, "portable"))


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.ISA.name, "avx1024")
    with pytest.raises(OptionError, match="TINYCNN_ISA='avx1024'"):
        isa.current()


def test_progress_is_told_before_each_kernel_and_at_the_end(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    native.prepare([SUM], lambda *progress: told.append(progress))
    native.prepare([SUM], lambda *progress: told.append(progress))
    assert told == [(SUM.name, 0, 1), ("", 1, 1)]


@pytest.mark.parametrize(
    ("module", "text"),
    [("conv_im2col", b"def finisher"), ("conv_winograd", b"def matrices"), ("lrn", b"def functions")],
)
def test_the_digest_follows_all_that_a_kernel_is_compiled_from(module: str, text: bytes) -> None:
    assert text in cache.source("cpu", module)
