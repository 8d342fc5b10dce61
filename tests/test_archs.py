"""Architectures that a kernel declares: refused elsewhere, a row without figures, not compiled."""

from dataclasses import replace

import pytest

from gpuconv import cuda, registry
from gpuconv.benchmarks import static
from gpuconv.cuda import archs
from gpuconv.device import CPU, CUDA, EMULATED, Device
from gpuconv.errors import KernelError, OptionError
from gpuconv.kernels.relu.op import relu
from gpuconv.limits import current_limits

PROBLEM = next(iter(relu.cases()))


@pytest.mark.parametrize(
    ("declared", "runs", "lacks"),
    [
        ((), "sm_75 sm_80 sm_90 sm_90a sm_120", None),
        (("sm_80",), "sm_80 sm_86 sm_90 sm_90a sm_100 sm_120", "needs sm_80 or newer"),
        (("sm_90a",), "sm_90 sm_90a", "needs sm_90a"),
        (("sm_90a", "sm_100"), "sm_90 sm_90a sm_100 sm_120", "needs sm_90a or sm_100 or newer"),
    ],
)
def test_what_runs_where(declared, runs, lacks):
    for arch in ("sm_75", "sm_80", "sm_86", "sm_90", "sm_90a", "sm_100", "sm_120"):
        assert archs.lacks(declared, arch) == (None if arch in runs.split() else lacks)


def test_hopper_is_compiled_for_with_its_special_instructions():
    assert [archs.name(c) for c in ("75", 80, "90", 100)] == ["sm_75", "sm_80", "sm_90a", "sm_100"]


@pytest.mark.parametrize("wrong", ["sm_80", ["sm_80"], (80,), ("80",), ("sm_80+",)])
def test_what_is_no_architecture_is_refused_when_it_is_declared(wrong):
    with pytest.raises(OptionError, match=r"relu: cuda:planted: archs .*sm_80"):
        relu.kernel("planted", backend="cuda", archs=wrong)


@pytest.fixture
def planted(monkeypatch):
    """A kernel of relu that needs sm_80, the best there is."""
    (direct,) = (k for k in relu.kernels() if k.name == "cuda:direct")
    made = replace(direct, algorithm="planted", archs=("sm_80",), cost=lambda p, d: 0.0)
    monkeypatch.setattr(relu, "_kernels", [made, *relu.kernels()])
    monkeypatch.setattr(registry, "_CHOSEN", {})
    return made


def test_a_kernel_is_refused_where_it_does_not_run(planted):
    turing, ampere = Device("cuda", "sm_75"), Device("cuda", "sm_80")
    assert planted.objection(PROBLEM, ampere, current_limits()) is None
    reason = planted.objection(PROBLEM, turing, current_limits())
    assert reason == "needs sm_80 or newer, this GPU is sm_75"
    for unknown in (CUDA, EMULATED):
        assert planted.objection(PROBLEM, unknown, current_limits()) is None
    assert "not on cpu" in (planted.objection(PROBLEM, CPU, current_limits()) or "")
    assert registry.choose(relu, PROBLEM, ampere) is planted
    assert registry.choose(relu, PROBLEM, turing) is not planted
    with pytest.raises(KernelError, match="cuda:planted: needs sm_80 or newer, this GPU is sm_75"):
        registry.choose(relu, PROBLEM, turing, "planted")


def build(monkeypatch, *kernels):
    """The one build of relu's direct source in float32, as those kernels declare it."""
    monkeypatch.setattr(relu, "_kernels", list(kernels))
    monkeypatch.setattr(static.registry, "ops", lambda: {"relu": relu})
    wanted = {"INDEX": "int", "REAL": "float"}
    (found,) = (b for b in static.builds() if wanted.items() <= dict(b.macros).items())
    return found


def test_the_gate_compiles_only_for_what_a_kernel_declares(monkeypatch, planted):
    compiled = []

    def compile_cubin(source, macros, arch):
        compiled.append(arch)
        return b"", "Compiling entry function 'relu' for it\nUsed 16 registers"

    monkeypatch.setattr(static, "compile_cubin", compile_cubin)
    monkeypatch.setattr(static, "LOOP_ARCH", "none")
    mine = build(monkeypatch, planted)
    row = static.rows(mine, ["sm_75", "sm_80"])[f"{mine.name} relu"]
    assert compiled == ["sm_80"]
    assert row == {"sm_75": "needs sm_80 or newer", "sm_80": [16, 0, 0, 8]}
    assert static.differences({"r": row}, {"r": {**row, "sm_75": [1]}}) == [
        "r sm_75: needs sm_80 or newer -> [1]"
    ]


def test_a_source_that_kernels_share_is_compiled_for_all_of_them(monkeypatch, planted):
    direct = replace(planted, algorithm="direct", archs=())
    assert build(monkeypatch, planted, direct).lacks("sm_75") is None
    hopper = replace(planted, algorithm="hopper", archs=("sm_90a",))
    both = build(monkeypatch, planted, hopper)
    assert (both.lacks("sm_86"), both.lacks("sm_90a")) == (None, None)
    assert build(monkeypatch, hopper).lacks("sm_100") == "needs sm_90a"
    blackwell = replace(planted, algorithm="blackwell", archs=("sm_100",))
    assert build(monkeypatch, planted, blackwell).lacks("sm_80") is None


def test_special_instructions_compile_for_their_architecture_alone(tmp_path):
    from gpuconv.cuda import compile as compiler

    if compiler.nvrtc()[0] is None:
        pytest.skip(f"compiling for GPUs: {compiler.nvrtc()[1]}")
    text = 'extern "C" __global__ void f() { asm volatile("wgmma.fence.sync.aligned;"); }'
    (tmp_path / "f.cu").write_text(text)
    source = cuda.Source(tmp_path / "f.cu")
    assert compiler.compile_cubin(source, {}, archs.name(90))[0]
    with pytest.raises(KernelError, match="sm_100"):
        compiler.compile_cubin(source, {}, archs.name(100))
