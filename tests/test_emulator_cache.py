"""Built kernels on disk: several processes, damage, folders that cannot be written, no compiler."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from house_rules import ROOT

from gpuconv import device, emulator
from gpuconv.emulator import build, cache
from gpuconv.errors import CompileError, DeviceError

SOURCE = 'extern "C" __global__ void twice(float* y) { y[threadIdx.x] *= 2; }'
SCRIPT = f"""
import numpy as np
from gpuconv import emulator
y = np.ones(4, np.float32)
emulator.Module({SOURCE!r}).function("twice")((1,), (4,), (y,))
print(y.tolist())
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache that holds the runtime, which takes seconds to build, and nothing else."""
    runtime = build.runtime(build.compiler())
    shutil.copy(runtime, tmp_path)
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path))
    return tmp_path


def twice():
    """Run the kernel in a new module; the library it came from."""
    y = np.ones(4, np.float32)
    module = emulator.Module(SOURCE)
    module.function("twice")((1,), (4,), (y,))
    assert y.tolist() == [2, 2, 2, 2]
    return module.path


@pytest.mark.emulated
def test_two_processes_at_once(folder):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT]
    options = {"env": env, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **options) for _ in range(2)]
    results = [process.communicate(timeout=100) for process in both]
    assert results == [("[2.0, 2.0, 2.0, 2.0]\n", "")] * 2
    left = sorted(path.name for path in folder.iterdir())
    assert [name.rsplit("-", 1)[0] for name in left] == ["emulator-kernel", "emulator-runtime"]


@pytest.mark.emulated
def test_a_damaged_library_is_built_again(folder):
    path = twice()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert not cache._intact(path)
    assert path.parent == folder
    subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    assert cache._intact(path)


def _write(folder):
    made = folder / "made"
    made.write_bytes(b"there")
    return made


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "file" / "cache"))
    fallback = cache.folder()
    assert not fallback.is_relative_to(tmp_path)
    with cache.artifact("something", _write).open("rb") as file:
        assert file.read(5) == b"there"
    assert (fallback / "something").is_file()


@pytest.mark.emulated
def test_an_intact_library_is_not_built_again(folder, monkeypatch):
    path = twice()
    monkeypatch.setattr(build, "run", None)
    assert twice() == path


def test_no_compiler_is_a_reason_and_no_crash(monkeypatch):
    monkeypatch.setenv("PATH", "")
    usable, reason = emulator.available()
    assert not usable
    assert "C++ compiler" in reason
    with pytest.raises(DeviceError, match=r"device 'emulated' is not available: .*install g\+\+"):
        device.get("emulated")
    assert device.get("cpu") == device.CPU


def test_another_platform_is_a_reason(monkeypatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "arm64")
    assert "x86-64 Linux only" in emulator.available()[1]


@pytest.mark.emulated
def test_a_compile_error_names_file_line_and_options(tmp_path):
    path = Path(tmp_path / "broken.cu")
    path.write_text('extern "C" __global__ void f(float* y) {\n    y[0] = unknown;\n}\n')
    with pytest.raises(CompileError, match=r"(?s)broken.cu:2: .*unknown.*SIZE=3") as caught:
        emulator.Module(path, {"SIZE": 3}).function("f")
    assert caught.value.line == 2
