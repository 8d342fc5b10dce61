"""Why there is no GPU: one line, whatever is missing, and nothing crashes."""

import os
import sys

import pytest
from fake_gpu import GOOD, H100, P100, FakeLibrary, fake_cupy, pretend

from gpuconv import device
from gpuconv.cli import _device
from gpuconv.cuda import driver, libcuda
from gpuconv.cuda.libcuda import Driver, Gpu
from gpuconv.errors import DeviceError

TWO = {"cupy-cuda12x": "14.2.0", "cupy-cuda13x": "14.2.0", "numpy": "2.4.6"}
HOPPER = device.Device("cuda", "sm_90a")
OLD = "no GPU: the driver is too old: it runs CUDA"


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"says": None}, "no GPU: there is no NVIDIA driver"),
        ({"says": Driver((13, 0))}, "no GPU: the driver sees no device"),
        (
            {"says": Driver((13, 0), fault="CUDA_ERROR_UNKNOWN")},
            "no GPU: the driver does not answer (CUDA_ERROR_UNKNOWN)",
        ),
        ({"says": Driver((11, 8), (H100,))}, f"{OLD} 11.8, expected 12.0 or newer"),
        (
            {"says": Driver((12, 9), (H100,)), "cupy": fake_cupy()},
            f"{OLD} 12.9, this CuPy is built for CUDA 13",
        ),
        (
            {"says": Driver((12, 9), (P100, H100))},
            "no GPU: Tesla P100 (sm_60) is older than sm_75",
        ),
        ({}, "no GPU: CuPy is not installed"),
        (
            {"cupy": fake_cupy(), "packages": TWO},
            "no GPU: several CuPys are installed (cupy-cuda12x, cupy-cuda13x); keep one",
        ),
        (
            {"cupy": fake_cupy(broken="it is\nbroken")},
            "no GPU: a probe kernel does not run (RuntimeError: it is broken)",
        ),
        ({"cupy": fake_cupy(result=(1, 2, 3, 5))}, "no GPU: a probe kernel gave wrong values"),
    ],
)
def test_auto_says_in_one_line_why_there_is_no_gpu(monkeypatch, capsys, machine, reason):
    pretend(monkeypatch, **machine)
    assert driver.missing() == reason
    assert device.auto() == (device.CPU, f"cpu ({reason})")
    assert _device.resolve("auto") == "cpu"
    assert capsys.readouterr().out == f"device: cpu ({reason})\n"
    with pytest.raises(DeviceError) as caught:
        device.get("cuda")
    assert str(caught.value) == f"device 'cuda' is not available: {reason}; use 'cpu' or 'auto'"


@pytest.mark.parametrize(
    ("says", "cupy"),
    [
        (GOOD, fake_cupy()),
        (GOOD, fake_cupy(built=12090)),
        (Driver((12, 0), (Gpu("T4", 75, 2**34), P100)), fake_cupy(built=12090)),
    ],
    ids=["13", "12 on a newer driver", "the oldest"],
)
def test_auto_takes_a_gpu_that_ran_a_kernel(monkeypatch, says, cupy):
    pretend(monkeypatch, says, cupy)
    assert driver.missing() is None
    assert device.auto() == (HOPPER, "cuda (a probe kernel ran)")
    assert device.get("cuda") == HOPPER


def test_what_libcuda_says(monkeypatch):
    a100 = Gpu("NVIDIA A100-SXM4-80GB", 86, 2**36)
    library = FakeLibrary(13100, (H100, a100))
    monkeypatch.setattr(libcuda.ctypes, "CDLL", lambda name: library)
    assert libcuda.ask() == Driver((13, 10), (H100, a100))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (100, Driver((13, 0))),
        (803, Driver((13, 0), fault="CUDA_ERROR_SYSTEM_DRIVER_MISMATCH")),
        (4711, Driver((13, 0), fault="error 4711")),
    ],
)
def test_a_driver_that_does_not_answer(monkeypatch, code, said):
    library = FakeLibrary(13000, (H100,), code)
    monkeypatch.setattr(libcuda.ctypes, "CDLL", lambda name: library)
    assert libcuda.ask() == said


def test_a_library_that_is_none(monkeypatch, tmp_path):
    for text in (b"", b"not a library"):
        (tmp_path / "libcuda.so.1").write_bytes(text)
        monkeypatch.setattr(libcuda, "LIBRARY", str(tmp_path / "libcuda.so.1"))
        assert libcuda.ask() is None


@pytest.mark.parametrize(
    "line",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.129.03  Release Build",
    ],
)
def test_the_version_of_the_kernel_module(monkeypatch, tmp_path, line):
    monkeypatch.setattr(libcuda, "KERNEL_MODULE", tmp_path / "version")
    assert libcuda.kernel_module() is None
    (tmp_path / "version").write_text(f"{line}\nGCC version:  gcc version 12.2.0\n")
    assert libcuda.kernel_module() == "535.129.03"


CUPY = """
import os
from types import SimpleNamespace
os.makedirs(os.environ.get("CUPY_CACHE_DIR", os.path.expanduser("~/.cupy/kernel_cache")))
cuda = SimpleNamespace(runtime=SimpleNamespace(runtimeGetVersion=lambda: 13020))
"""


def test_a_home_that_cannot_be_written_does_not_stop_cupy(monkeypatch, tmp_path):
    pretend(monkeypatch)
    (tmp_path / "cupy.py").write_text(CUPY)  # makes its cache on import, as CuPy does
    (tmp_path / "home").write_text("a file: no folder can be made below it, not even by root")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "built"))
    monkeypatch.setenv("CUPY_CACHE_DIR", "")  # noted, so that what the driver sets is undone
    monkeypatch.delenv("CUPY_CACHE_DIR")
    monkeypatch.delitem(sys.modules, "cupy")
    monkeypatch.syspath_prepend(tmp_path)
    assert driver.cupy_fault(GOOD) is None
    assert (tmp_path / "built" / "cupy").is_dir()


@pytest.mark.parametrize("named", [True, False])
def test_cupys_own_cache_is_left_to_it(monkeypatch, tmp_path, named):
    pretend(monkeypatch, cupy=fake_cupy())
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("HOME", str(tmp_path / "home" if named else tmp_path))
    monkeypatch.setenv("CUPY_CACHE_DIR", "mine")
    if not named:
        monkeypatch.delenv("CUPY_CACHE_DIR")
    assert driver.cupy_fault(GOOD) is None
    assert os.environ.get("CUPY_CACHE_DIR") == ("mine" if named else None)


def test_a_cupy_that_cannot_be_imported(monkeypatch, tmp_path):
    pretend(monkeypatch)
    (tmp_path / "cupy.py").write_text("raise OSError('no\\nlibrary')")
    monkeypatch.delitem(sys.modules, "cupy")
    monkeypatch.syspath_prepend(tmp_path)
    assert driver.missing() == "no GPU: CuPy cannot be imported (OSError: no library)"
