"""gpuconv doctor: each state of a machine has its finding and its remedy, and nothing crashes."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run, succeed
from fake_gpu import H100, P100, PACKAGES, fake_cupy, pretend

from gpuconv import device, doctor
from gpuconv.cuda import libcuda, toolkit
from gpuconv.cuda.libcuda import Driver, Gpu
from gpuconv.cuda.toolkit import Nvrtc
from gpuconv.doctor import host, packages, report

NAMES = [
    *("CPU", "C++ compiler", "cache", "NVIDIA driver", "GPU", "CuPy", "NVRTC", "CUDA headers"),
    *("numba-cuda", "NCCL", "probe kernel"),
]
TWO = {**PACKAGES, "cupy-cuda12x": "14.2.0"}
OLD = Driver((12, 4), (H100,))


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch, tmp_path):
    """No driver's kernel module, and a compiler that is not run."""
    known = doctor.Finding("C++ compiler", "ok", "a compiler")
    monkeypatch.setattr(libcuda, "KERNEL_MODULE", tmp_path / "none")
    monkeypatch.setitem(report.CHECKS, "C++ compiler", lambda _: known)


def finding(name: str) -> doctor.Finding:
    """The one of that name; every finding is one line, and all but an ok one has a remedy."""
    found = doctor.examine().findings
    for one in found:
        assert "\n" not in one.text + one.remedy
        assert one.state == "ok" or one.remedy
    (it,) = [one for one in found if one.name == name]
    return it


def test_a_machine_where_all_is_well(monkeypatch):
    pretend(monkeypatch, cupy=fake_cupy())
    monkeypatch.setattr(toolkit, "find_headers", lambda: (Path("include"), (13, 0)))
    lines = succeed("doctor")
    assert lines[0].startswith("ok       CPU: ")
    assert lines[1] == "ok       C++ compiler: a compiler"
    assert lines[3:-1] == [
        "ok       NVIDIA driver: version unknown, CUDA 13.0",
        "ok       GPU 0: NVIDIA H100 (sm_90), 80.0 GiB",
        "ok       CuPy: cupy-cuda13x 14.2.0",
        "ok       NVRTC: 13.0",
        "ok       CUDA headers: 13.0 at include",
        f"ok       numba-cuda: 0.31.0 with NumPy {np.__version__}",
        "ok       NCCL: nvidia-nccl-cu13 2.32.3",
        "ok       probe kernel: ran",
    ]
    assert lines[-1] == "usable: cpu, emulated, cuda; auto takes cuda (a probe kernel ran)"


def test_a_machine_without_a_gpu(monkeypatch):
    pretend(monkeypatch, says=None, packages={}, nvrtc="the package cuda-bindings is not installed")
    monkeypatch.setattr(toolkit, "find_headers", lambda: None)
    monkeypatch.setattr(toolkit, "find_nccl", lambda: None)
    lines = succeed("doctor")
    assert [line.split()[0] for line in lines[3:-1]] == ["missing"] * 8
    assert [line[9:].partition(":")[0] for line in lines[:-1]] == NAMES
    assert lines[3].endswith("there is none -> if there is an NVIDIA GPU, install NVIDIA's driver: "
                             "580 or newer for CUDA 13, 525 for CUDA 12")  # fmt: skip
    assert lines[5].endswith("CuPy is not installed -> pip install 'gpuconv[cuda13]'")
    why = "auto takes cpu (no GPU: there is no NVIDIA driver)"
    assert lines[-1] == f"usable: cpu, emulated; {why}"


DRIVER = "NVIDIA's driver: 580 or newer for CUDA 13, 525 for CUDA 12"
STATES = [  # what the machine is, and the finding that says so
    (
        {"says": Driver((11, 4), (H100,))},
        ("NVIDIA driver", "error", "it runs CUDA 11.4, expected 12.0 or newer", f"update {DRIVER}"),
    ),
    (
        {"says": Driver((13, 0), fault="CUDA_ERROR_UNKNOWN")},
        ("NVIDIA driver", "error", "does not answer (CUDA_ERROR_UNKNOWN)", "restart"),
    ),
    ({"says": Driver((13, 0))}, ("GPU", "missing", "sees no device", "CUDA_VISIBLE_DEVICES")),
    (
        {"says": Driver((12, 4), (P100,))},
        ("GPU 0", "error", "Tesla P100 (sm_60), 16.0 GiB: older than sm_75", "use --device cpu"),
    ),
    (
        {"says": Driver((12, 4), (P100, H100))},
        ("GPU 0", "error", "older than sm_75", "set CUDA_VISIBLE_DEVICES=1"),
    ),
    ({"says": Driver((12, 4), (P100, H100))}, ("GPU 1", "ok", "NVIDIA H100 (sm_90)", "")),
    (
        {"packages": TWO},
        (
            *("CuPy", "error", "several CuPys are installed (cupy-cuda12x, cupy-cuda13x)"),
            "pip uninstall cupy-cuda12x cupy-cuda13x, then pip install 'gpuconv[cuda13]'",
        ),
    ),
    (
        {"says": OLD, "cupy": fake_cupy()},
        (
            *("CuPy", "error", "it runs CUDA 12.4, this CuPy is built for CUDA 13"),
            f"update {DRIVER}; or pip uninstall cupy-cuda13x, then pip install 'gpuconv[cuda12]'",
        ),
    ),
    ({"says": OLD, "packages": {}}, ("CuPy", "missing", "not installed", "'gpuconv[cuda12]'")),
    (
        {"cupy": fake_cupy(), "nvrtc": "NVRTC cannot be loaded"},
        (
            *("NVRTC", "warning", "loaded: CuPy compiles in its place, and flushes denormals"),
            "pip install 'gpuconv[cuda13]'",
        ),
    ),
    (
        {"says": OLD},
        ("NVRTC", "error", "13.0 is newer than the driver's CUDA 12.4", "'gpuconv[cuda12]'"),
    ),
    (
        {"says": Driver((13, 0), (Gpu("B300", 103, 2**38), P100))},
        ("NVRTC", "error", "does not compile for B300 (sm_103)", "[cuda13]' --upgrade"),
    ),
    ({"nvrtc": Nvrtc((13, 5), (90,))}, ("NVRTC", "ok", "13.5", "")),
    ({"says": Driver((13, 0), (H100, P100))}, ("NVRTC", "ok", "13.0", "")),
    (
        {"packages": {"numba-cuda": "0.30.4"}, "numpy": "2.5.5"},
        ("numba-cuda", "warning", "0.30.4 with NumPy 2.5.5: does not compile", "'numpy<2.5'"),
    ),
    ({"packages": {"numba-cuda": "0.30.4"}, "numpy": "2.4.6"}, ("numba-cuda", "ok", "2.4.6", "")),
    (
        {"packages": {"numba-cuda": "0.30rc1"}, "numpy": "2.10.0"},
        ("numba-cuda", "warning", "0.30rc1 with NumPy 2.10.0", "'numpy<2.5'"),
    ),
    ({"packages": {"numba-cuda": "1.0"}, "numpy": "2.10.0"}, ("numba-cuda", "ok", "2.10.0", "")),
    (
        {"packages": {"nvidia-nccl-cu12": "2.32.3", "cupy-cuda13x": "14.2.0"}},
        ("NCCL", "warning", "cu12 2.32.3, but CuPy is cupy-cuda13x", "install nvidia-nccl-cu13"),
    ),
    ({"cupy": fake_cupy(broken="x")}, ("probe kernel", "error", "(RuntimeError: x)", "above")),
    ({"says": None}, ("probe kernel", "missing", "there is no NVIDIA driver", "above")),
]


@pytest.mark.parametrize(("machine", "expected"), STATES, ids=lambda value: str(value)[:60])
def test_a_state_has_its_finding(monkeypatch, machine, expected):
    machine = dict(machine)
    monkeypatch.setattr(packages, "NUMPY", machine.pop("numpy", "2.4.6"))
    pretend(monkeypatch, **machine)
    name, state, text, remedy = expected
    found = finding(name)
    assert (found.name, found.state) == (name, state)
    assert text in found.text
    assert remedy in found.remedy
    assert bool(found.remedy) == (state != "ok")


@pytest.mark.parametrize(
    ("version", "state"), [((13, 5), "ok"), ((12, 9), "warning"), (None, "missing")]
)
def test_headers_are_held_against_nvrtc(monkeypatch, version, state):
    pretend(monkeypatch)
    here = (Path("include"), version) if version else None
    monkeypatch.setattr(toolkit, "find_headers", lambda: here)
    assert finding("CUDA headers").state == state


def test_the_toolkits_own_version_is_read_from_its_header(monkeypatch, tmp_path):
    pathfinder = pytest.importorskip("cuda.pathfinder", reason="it comes with cuda-bindings")
    monkeypatch.setattr(pathfinder, "find_nvidia_header_directory", lambda name: str(tmp_path))
    assert toolkit.find_headers() is None
    (tmp_path / "cuda_runtime_api.h").write_text("/* */\n#define CUDART_VERSION  13050\n")
    assert toolkit.find_headers() == (tmp_path, (13, 5))
    monkeypatch.setattr(pathfinder, "find_nvidia_header_directory", lambda name: None)
    assert toolkit.find_headers() is None


def test_nvrtc_says_what_it_compiles_for(monkeypatch):
    pytest.importorskip("cuda.bindings.nvrtc", reason="it needs the test extra")
    found = toolkit.find_nvrtc()
    assert isinstance(found, Nvrtc)
    assert found.version >= (12, 0)
    assert {75, 80, 90, 120} <= set(found.archs)
    monkeypatch.setattr(toolkit, "nvrtc", lambda: (None, "no\nlibrary"))
    assert toolkit.find_nvrtc() == "no library"


def test_a_container_without_the_drivers_library(monkeypatch, tmp_path):
    pretend(monkeypatch, says=None)
    (tmp_path / "none").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  x")
    found = finding("NVIDIA driver")
    assert (found.state, found.remedy) == ("error", "in a container: start it with --gpus all")
    assert "its kernel module 580.95.05 is loaded, but its library" in found.text


def test_nothing_usable_is_exit_code_1(monkeypatch):
    monkeypatch.setattr(host.np, "ones", lambda *_: np.zeros((8, 8), np.float32))
    pretend(monkeypatch, says=None)
    result = run("doctor")
    assert result.exit_code == 1
    assert result.stdout.startswith("error    CPU: ")
    assert "\nusable: nothing; auto takes cpu (no GPU: " in result.stdout
    as_json = run("doctor", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["usable"]) == (1, [])


def test_a_check_that_fails_is_a_finding(monkeypatch):
    def broken(_):
        raise RuntimeError("it is\nbroken")

    monkeypatch.setitem(report.CHECKS, "NCCL", broken)
    found = finding("NCCL")
    assert (found.state, found.text) == ("error", "cannot be examined: RuntimeError: it is broken")


def test_json_says_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path))  # other tests fill the usual one meanwhile
    pretend(monkeypatch, Driver((12, 4), (P100, H100)))
    told = json.loads("\n".join(succeed("doctor", "--json")))
    assert list(told) == ["findings", "usable", "auto", "why"]
    lines = succeed("doctor")
    for entry, line in zip(told["findings"], lines[:-1], strict=True):
        assert list(entry) == ["name", "state", "text", "remedy"]
        assert all(isinstance(value, str) for value in entry.values())
        assert line.startswith(f"{entry['state']:8} {entry['name']}: {entry['text']}")
        assert line.endswith(entry["remedy"])
    assert lines[-1] == f"usable: cpu, emulated; auto takes {told['why']}"
    assert (told["usable"], told["auto"]) == (["cpu", "emulated"], "cpu")
    assert told["why"] == device.auto()[1] == "cpu (no GPU: Tesla P100 (sm_60) is older than sm_75)"
