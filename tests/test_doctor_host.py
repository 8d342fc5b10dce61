"""gpuconv doctor on the CPU, the C++ compiler and the folder for built files."""

from pathlib import Path

import pytest
from command_line import environment, finish, start

from gpuconv import _cache as cache
from gpuconv import doctor, emulator
from gpuconv.doctor import host
from gpuconv.errors import DeviceError


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("GPUCONV_CXX", "no-such-compiler")
    found = host.compiler()
    assert found.state == "missing"
    assert "no no-such-compiler on PATH" in found.text or "x86-64 Linux only" in found.text
    assert "emulated" not in doctor.examine().usable


SCRIPTS = ["#!/bin/sh\nexit 1\n", '#!/bin/sh\n[ "$1" = --version ]\n', "no program at all"]


@pytest.mark.emulated
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_compiler_that_does_not_compile(monkeypatch, tmp_path, script):
    (tmp_path / "g++").write_text(script)
    (tmp_path / "g++").chmod(0o755)
    monkeypatch.setenv("GPUCONV_CXX", str(tmp_path / "g++"))
    assert emulator.available()[0]
    found = host.compiler()
    assert (found.state, "does not compile C++17" in found.text) == ("error", True)
    assert "emulated" not in doctor.examine().usable


@pytest.mark.emulated
def test_a_compiler_that_works():
    assert host.compiler().state == "ok"
    assert {"cpu", "emulated"} <= set(doctor.examine().usable)


def test_the_cache_is_counted(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path))
    for name in ("a.so", "b.cubin"):
        (tmp_path / name).write_bytes(bytes(3_000_000))
    found = host.built_files()
    assert (found.state, found.text) == ("ok", f"{tmp_path}: 2 files, 6 MB")


@pytest.mark.parametrize("home", ["a file", None])
def test_a_home_that_cannot_be_written(monkeypatch, tmp_path, home):
    (tmp_path / "home").write_text("no folder can be made below a file, not even by root")
    for name in ("GPUCONV_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    where = str(tmp_path / "home") if home else "~"
    monkeypatch.setattr(cache.os.path, "expanduser", lambda path: path.replace("~", where, 1))
    monkeypatch.chdir(tmp_path)
    found = host.built_files()
    assert found.state == "warning"
    assert found.text.startswith(f"{where}/.cache/gpuconv cannot be written: what is built lasts")
    assert "GPUCONV_CACHE" in found.remedy
    assert not (tmp_path / "~").exists()


def test_a_process_with_a_home_that_cannot_be_written(tmp_path):
    (tmp_path / "home").write_text("no folder can be made below a file")
    plain = {k: v for k, v in environment().items() if k[:4] not in ("GPUC", "XDG_")}
    process = start("doctor", env={**plain, "HOME": str(tmp_path / "home")})
    code, out, err = finish(process)
    assert (code, err) == (0, "")
    assert "\nwarning  cache: " in out


def test_no_folder_at_all_can_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "file"))

    def refuse() -> Path:
        raise OSError("No usable temporary directory found")

    monkeypatch.setattr(cache, "_temporary", refuse)
    found = host.built_files()
    assert (found.state, "a temporary folder can be written" in found.text) == ("error", True)
    with pytest.raises(DeviceError, match="set GPUCONV_CACHE to a folder that can"):
        cache.artifact("probe.so", Path)
    assert "emulated" not in doctor.examine().usable


@pytest.mark.parametrize(
    ("found", "width"),
    [
        ({"baseline": ["SSE", "SSE2"], "found": ["AVX2", "AVX512F"]}, "512-bit SIMD"),
        ({"baseline": ["X86_V2"], "found": ["X86_V3"]}, "256-bit SIMD"),
        ({"baseline": ["NEON", "ASIMD"], "found": []}, "128-bit SIMD"),
        ({}, "SIMD width unknown"),
    ],
)
def test_simd_by_numpys_names(monkeypatch, found, width):
    monkeypatch.setattr(host.np, "show_config", lambda mode: {"SIMD Extensions": found})
    assert f", {width}, " in host.cpu().text


def test_the_cpus_model(monkeypatch, tmp_path):
    monkeypatch.setattr(host, "CPUINFO", tmp_path / "cpuinfo")
    assert host.cpu().state == "ok"
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: A CPU @ 3 GHz\n")
    assert host.cpu().text.startswith("A CPU @ 3 GHz, ")


def test_a_built_file_may_vanish_while_it_is_counted(monkeypatch, tmp_path):
    """Others build in the same folder, and rename what they made."""
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path))
    (tmp_path / "a.so").write_bytes(bytes(3_000_000))
    (tmp_path / "b.so").write_bytes(bytes(9_000_000))
    is_file = Path.is_file

    def vanishes(path):
        found = is_file(path)
        (tmp_path / "b.so").unlink(missing_ok=True)
        return found or path.name == "b.so"

    monkeypatch.setattr(Path, "is_file", vanishes)
    assert host.built_files().text == f"{tmp_path}: 1 files, 3 MB"
