"""Compiling kernels: what is refused as NVRTC would, the cache on disk, and no compiler at all."""

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpuconv import _cache as cache
from gpuconv import emulator
from gpuconv.emulator import build, source
from gpuconv.errors import CompileError, DataError, DeviceError, OptionError

ROOT = Path(__file__).resolve().parent.parent
KERNEL = """
extern "C" __global__ void fill(float* y) { y[threadIdx.x] = VALUE; }
"""
SCRIPT = """
import sys
import numpy as np
from gpuconv import emulator
y = np.zeros(4, "f4")
emulator.Module(sys.argv[1], {"VALUE": 3}).function("fill")((1,), (4,), (y,))
print(y.sum())
"""
emulated = pytest.mark.emulated


def filled(value: object = 3, text: str | Path = KERNEL, **options) -> float:
    y = np.zeros(4, "f4")
    module = emulator.Module(text, {"VALUE": value}, **options)
    module.function("fill")((1,), (4,), (y,))
    return float(y[0])


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def cache_with_runtime(tmp_path, monkeypatch) -> Path:
    """A cache that holds nothing but the runtime, which takes seconds to build."""
    runtime = build.runtime(build.compiler())
    (tmp_path / "cache").mkdir()
    shutil.copy(runtime, tmp_path / "cache")
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@emulated
@pytest.mark.parametrize("word", ["INFINITY", "NAN", "FLT_MAX", "(float)(uint32_t)1", "M_PI"])
def test_what_nvrtc_does_not_have_does_not_compile(word):
    with pytest.raises(CompileError, match="<source>:2: ") as caught:
        filled(word)
    assert (caught.value.file, caught.value.line) == ("<source>", 2)
    assert f"options: mode=fast -DVALUE={word}" in str(caught.value)


@emulated
def test_standard_headers_are_refused(tmp_path):
    path = tmp_path / "k.cu"
    path.write_text("\n#include <cmath>\n" + KERNEL)
    with pytest.raises(CompileError, match="cmath") as caught:
        filled(text=path)
    assert (caught.value.file, caught.value.line) == (str(path), 2)


@emulated
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("__device__ void f() {} // __global__", "holds no __global__ function"),
        ("__global__ void f(float* y) { y[0] = 1; }", 'declare kernel f as extern "C"'),
        (
            '__device__ int n;\nextern "C" __global__ void f(int* y) { y[0] = n++; }',
            "a variable outside every function",
        ),
    ],
)
def test_what_a_launch_could_not_find_or_reset_is_refused(text, words):
    with pytest.raises(CompileError, match=words):
        emulator.Module(text).function("f")


@emulated
def test_the_emulated_build_says_so():
    assert filled("GPUCONV_EMULATED") == 1
    assert filled("__CUDA_ARCH__ >= 800") == 1


@emulated
def test_a_constant_table_is_read_and_never_written():
    table = "__constant__ float table[4] = {1, 2, 3, 4};"
    read = f'{table} extern "C" __global__ void fill(float* y) {{ y[threadIdx.x] = table[3]; }}'
    assert filled(text=read, mode="check") == 4
    written = f'{table} extern "C" __global__ void fill(float* y) {{ y[0] = ++table[3]; }}'
    with pytest.raises(emulator.BoundsError, match="4-byte write of a constant"):
        filled(text=written, mode="check")


@emulated
def test_a_changed_header_builds_again(tmp_path, cache_with_runtime):
    (tmp_path / "k.cu").write_text('#include "outer.cuh"\n' + KERNEL)
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "outer.cuh").write_text('#include "inner.cuh"\n')
    for value in (5, 6):
        (tmp_path / "include" / "inner.cuh").write_text(f"#define NUMBER {value}\n")
        assert filled("NUMBER", tmp_path / "k.cu", include=[tmp_path / "include"]) == value
    assert len(list(cache_with_runtime.glob("*.so"))) == 2


@emulated
@pytest.mark.parametrize("damage", [b"", b"not a library", None])
def test_a_damaged_library_is_built_again(cache_with_runtime, damage):
    assert filled() == 3
    (library,) = cache_with_runtime.glob("*.so")
    library.write_bytes(library.read_bytes()[:-100] if damage is None else damage)
    done = run_script()
    assert done == "12.0\n"
    assert cache.intact(library)


@emulated
def test_a_damaged_runtime_is_built_again(cache_with_runtime):
    (runtime,) = cache_with_runtime.glob("*.o")
    runtime.write_bytes(b"!")
    assert filled(4) == 4
    assert cache.intact(runtime)


def run_script(**env: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, KERNEL],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@emulated
def test_two_processes_build_at_once(empty_cache):
    command = [sys.executable, "-c", SCRIPT, KERNEL]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate()[0] for process in running] == ["12.0\n"] * 2
    assert [process.returncode for process in running] == [0, 0]
    names = sorted(path.suffix for path in empty_cache.iterdir())
    assert names == [".o", ".sha256", ".sha256", ".so"]
    assert all(cache.intact(path) for path in empty_cache.glob("*o"))


@pytest.mark.parametrize("damage", [b"", b"another", b"\xff\xfe", None])
def test_a_file_whose_hash_is_damaged_or_gone_is_built_again(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path))
    path = cache.artifact("probe", written)
    assert path.read_text() == "content"  # and nothing else: what reads it sees no hash
    seal = tmp_path / "probe.sha256"
    if damage is None:
        seal.unlink()
    else:
        seal.write_bytes(damage)
    assert not cache.intact(path)
    assert cache.artifact("probe", written) == path
    assert cache.intact(path)


def test_a_cache_that_cannot_be_written_is_replaced(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "file" / "cache"))
    assert cache.folder().is_dir()
    assert not cache.folder().is_relative_to(tmp_path)
    path = cache.artifact("probe", written)
    assert path.parent == cache.folder()
    assert cache.artifact("probe", written) == path


def written(work: Path) -> Path:
    (work / "any").write_text("content")
    return work / "any"


def test_the_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.delenv("GPUCONV_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "gpuconv"


def test_without_a_compiler_there_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("GPUCONV_CXX", raising=False)
    usable, reason = emulator.available()
    assert not usable
    assert "no g++ or clang++ on PATH; install g++" in reason
    module = emulator.Module(KERNEL, {"VALUE": 1})  # nothing is compiled yet
    with pytest.raises(DeviceError, match="needs a C\\+\\+ compiler"):
        module.function("fill")


def test_without_a_compiler_emulated_tests_are_skipped_and_counted(tmp_path):
    env = {**os.environ, "PATH": str(tmp_path), "GPUCONV_CXX": "none"}
    test = ROOT / "tests" / "test_emulator_statistics.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    skipped = re.search(r"emulated tests skipped: (\d+)", done.stdout)
    assert skipped
    assert f"\n{skipped[1]} skipped in " in done.stdout
    assert "the emulator needs a C++ compiler: no none on PATH" in done.stdout


def test_another_platform_is_refused_with_its_name(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert emulator.available() == (
        False,
        f"the emulator runs on x86-64 Linux only, this is {sys.platform} on aarch64",
    )


def test_sources_and_macros_are_checked(tmp_path):
    with pytest.raises(DataError, match=r"missing\.cu cannot be read"):
        emulator.Module(tmp_path / "missing.cu")
    with pytest.raises(OptionError, match="'A B' is not the name of a macro"):
        emulator.Module(KERNEL, {"A B": 1})
    assert source.macros({"T": "float", "ON": True, "OFF": False}) == ("ON=1", "T=float")


def test_an_error_survives_a_process_boundary():
    error = emulator.RaceError("text", "k", "k.cu", 7, (1, 0, 0), (2, 3, 4))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is emulator.RaceError
    assert (str(again), again.line, again.block) == (str(error), 7, (2, 3, 4))
    assert str(error) == "k.cu:7: k: text [thread (1,0,0) of block (2,3,4)]"
