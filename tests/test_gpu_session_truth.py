"""benchmarks/gpu_session: what is wrong is never a result, and what proves nothing neither."""

import re
import sys
from dataclasses import replace

import pytest
from fake_cupy import FakeModule, pretend_cuda

from gpuconv import battery, device, registry
from gpuconv.benchmarks import peers, workloads
from gpuconv.benchmarks.gpu_session import building, correctness, outside, small, speed
from gpuconv.benchmarks.gpu_session.items import Session, Unavailable
from gpuconv.errors import GpuconvError, KernelError
from gpuconv.kernels.linear.op import linear
from gpuconv.kernels.relu.op import relu

DRAW = battery.draw


@pytest.fixture
def session(tmp_path):
    return Session(device.EMULATED, tmp_path, "emulated")


def planted(op, name, run):
    (kernel,) = (k for k in op.kernels() if k.name == name)
    return replace(kernel, algorithm="planted", run=run(kernel.run))


def wrong(right):
    def run(outs, ins, problem, work):
        right(outs, ins, problem, work)
        if problem.dtype == "float32" and outs[0].size:
            outs[0].reshape(-1)[0] = 77

    return run


def moody(right):
    calls = []

    def run(outs, ins, problem, work):
        right(outs, ins, problem, work)
        if outs[0].size and len(calls) % 2:
            outs[0].reshape(-1)[0] = 0  # right to the bit of a -0, which it is the other time
        elif outs[0].size:
            outs[0].reshape(-1)[0] = -0.0
        calls.append(1)

    return run


@pytest.mark.emulated
def test_a_wrong_kernel_is_an_error_with_its_first_case(session):
    with pytest.raises(
        battery.BatteryError, match=r"^1 of 2 cases: relu\[cuda:planted\] .* got 77"
    ):
        correctness.through_battery(session, relu, planted(relu, "cuda:direct", wrong))


@pytest.mark.emulated
def test_other_bits_the_second_time_are_an_error(session, monkeypatch):
    monkeypatch.setattr(battery, "draw", lambda *a, **k: [-abs(x) for x in DRAW(*a, **k)])
    with pytest.raises(battery.BatteryError, match="two runs gave different bits"):
        correctness.through_battery(session, relu, planted(relu, "cuda:direct", moody))


@pytest.mark.emulated
def test_a_wrong_kernel_has_no_speed(session):
    (work, *_) = (w for w in workloads.workloads() if w.op == "linear")
    small_work = workloads.shrunk(work)
    right = planted(linear, "cuda:tiled", lambda run: run)
    assert speed.of_kernel(session, small_work, linear, right)["error"] <= right.error
    with pytest.raises(KernelError, match=r"error of .* eps \* scale, allowed 8"):
        speed.of_kernel(session, small_work, linear, planted(linear, "cuda:tiled", wrong))


def test_a_build_that_fails_is_an_error(session, monkeypatch):
    monkeypatch.setattr(building, "ProcessPoolExecutor", lambda **_: InThisProcess())
    monkeypatch.setattr(building, "_compile", lambda build, arch: f"{build.name}: broken")
    with pytest.raises(KernelError, match=r"^\d+ of \d+ builds: .*broken"):
        building.compile_all(session)


class InThisProcess:
    """A pool of none."""

    map = staticmethod(map)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


RAN = "relu cuda:direct\n9 launches of small cases, 0 kernels failed\n"
FAILED = "failed: RuntimeError: x\n8 launches of small cases, 1 kernels failed\n"


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        (0, RAN + "ERROR SUMMARY: 0 errors", None),
        (0, RAN + "RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)", None),
        (0, RAN + "RACECHECK SUMMARY: 3 hazards displayed (0 errors, 3 warnings)", r"\['3'\]"),
        (9, RAN + "ERROR SUMMARY: 2 errors", "errors"),
        (0, RAN, r"errors \[\]"),
        (0, "Error: Unable to attach\nERROR SUMMARY: 0 errors", r"cases \[\]"),
        (0, "0 launches of small cases\nERROR SUMMARY: 0 errors", r"cases \['0'\]"),
        (1, FAILED + "ERROR SUMMARY: 0 errors", "failed: RuntimeError: x"),
        (-11, "", ""),
    ],
)
def test_what_a_sanitizer_says(monkeypatch, tmp_path, code, text, told):
    gpu = Session(device.CUDA, tmp_path, "gpu")
    monkeypatch.setattr(outside.shutil, "which", lambda name, path: name)
    monkeypatch.setattr(outside, "logged", lambda command, log: (code, text))
    if told is None:
        assert outside.sanitizer(gpu, "memcheck") == {"errors": 0, "cases": 9}
    else:
        with pytest.raises(GpuconvError, match=f"memcheck ended with {code}, .*{told}"):
            outside.sanitizer(gpu, "memcheck")


def test_no_sanitizer_is_a_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(outside.shutil, "which", lambda name, path: None)
    with pytest.raises(Unavailable, match="compute-sanitizer is not on the PATH"):
        outside.sanitizer(Session(device.CUDA, tmp_path, "gpu"), "memcheck")


@pytest.mark.parametrize(
    ("code", "text", "right"),
    [
        (0, "12 passed, 3 skipped in 4s", True),
        (0, "2606 skipped in 9s", False),
        (1, "1 failed, 11 passed in 4s", False),
        (5, "no tests ran", False),
        (-9, "", False),
    ],
)
def test_tests_that_were_skipped_prove_nothing(monkeypatch, tmp_path, code, text, right):
    monkeypatch.setattr(outside, "logged", lambda command, log: (code, text))
    gpu = Session(device.CUDA, tmp_path, "gpu")
    if right:
        assert outside.tests(gpu) == {"passed": 12, "skipped": 3}
    else:
        with pytest.raises(GpuconvError, match=f"pytest ended with {code}: "):
            outside.tests(gpu)


def test_a_log_has_what_a_killed_program_said_and_stays_short(monkeypatch, tmp_path):
    monkeypatch.setattr(outside, "KEPT", 100)
    code = "import os; print('x' * 500 + 'end', flush=True); os.write(1, b'\\xff'); os.abort()"
    done, text = outside.logged([sys.executable, "-c", code], tmp_path / "log")
    assert done < 0
    assert text.endswith("xend\n\ufffd")
    assert (tmp_path / "log").stat().st_size == 100
    assert (tmp_path / "log").read_bytes().endswith(b"end\n\xff")


@pytest.fixture
def relu_alone(monkeypatch, tmp_path):
    pretend_cuda(monkeypatch, tmp_path)
    kernels = [k for k in relu.kernels() if k.backend == "cuda"]
    monkeypatch.setattr(relu, "_kernels", kernels)
    monkeypatch.setattr(registry, "ops", lambda: {"relu": relu})
    return kernels


@pytest.mark.emulated
def test_a_tool_watches_arrays_without_bands_or_pool(relu_alone, monkeypatch, capsys):
    monkeypatch.setattr(battery, "Banded", None)
    assert small.main() == 0
    assert FakeModule.allocators == [None]
    *names, last = capsys.readouterr().out.splitlines()
    assert names == [f"relu {kernel.name}" for kernel in relu_alone]
    assert last == f"{6 * len(names)} launches of small cases, 0 kernels failed"


@pytest.mark.emulated
def test_a_kernel_that_raises_does_not_hide_the_others(relu_alone, monkeypatch, capsys):
    def raises(*_):
        raise RuntimeError("broken")

    kernels = [replace(relu_alone[0], run=raises), *relu_alone[1:]]
    monkeypatch.setattr(relu, "_kernels", kernels)
    assert small.main() == 1
    out = capsys.readouterr().out
    assert "failed: RuntimeError: broken\n" in out
    assert out.endswith(f"{6 * (len(kernels) - 1)} launches of small cases, 1 kernels failed\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise OSError('libcudart')", r"cannot be used \(OSError: libcudart\)"),
        ("cuda = type('C', (), {'is_available': staticmethod(lambda: False)})", "sees no GPU"),
    ],
)
def test_a_pytorch_without_use_is_a_reason(monkeypatch, tmp_path, text, reason):
    (tmp_path / "torch.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    found = peers.missing.__wrapped__() or ""
    sys.modules.pop("torch", None)
    assert re.search(reason, found)
