"""implicit_gemm_pipelined: tiles, chains, slices and layers; what its copies are checked for."""

import re
from dataclasses import replace

import numpy as np
import pytest

from gpuconv import battery, emulator, registry
from gpuconv.benchmarks import ladder, static
from gpuconv.benchmarks.gpu_session import instructions
from gpuconv.cuda.recording import recording
from gpuconv.device import CPU, EMULATED, Device
from gpuconv.emulator.launch import ORDERS
from gpuconv.errors import KernelError
from gpuconv.kernels.conv2d import cuda_implicit_gemm_pipelined as pipelined
from gpuconv.kernels.conv2d import cuda_implicit_gemm_pipelined_weight as weight
from gpuconv.kernels.conv2d._pipelined_tiles import NAME
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.random import Stream

CONVOLUTIONS = ("conv2d", "conv2d_input", "conv2d_weight")
ONE, TWO = ((1, 1), (1, 1)), ((2, 2), (2, 2))
PLAIN = Conv2dProblem(1, 8, 6, 6, 8, 3, 3, padding=ONE)

emulated = pytest.mark.emulated
every_op = pytest.mark.parametrize(
    "op", [registry.get_op(n) for n in CONVOLUTIONS], ids=CONVOLUTIONS
)
KERNELS = [
    pytest.param(
        op,
        kernel,
        id=f"{op.name}-{kernel.algorithm}",
        marks=[pytest.mark.slow] if kernel.variant_of else [],
    )
    for op in map(registry.get_op, CONVOLUTIONS)
    for kernel in op.kernels()
    if NAME in (kernel.algorithm, kernel.variant_of)
]
every_kernel = pytest.mark.parametrize(("op", "kernel"), KERNELS)


def kernel_of(op, algorithm=NAME):
    """The op's CUDA kernel of that name."""
    return next(k for k in op.kernels() if k.name == f"cuda:{algorithm}")


def agrees_with_numpy(op, kernel, problem, kind="normal"):
    """Against NumPy in float64: problems beyond what plain loops can do."""
    draw = getattr(Stream(5), kind)
    ins = [draw(problem.spec(n.rstrip("?"))[0]).astype(np.float32) for n in op.ins]
    (got,) = battery.outs_of(op, kernel, problem, EMULATED, ins)
    numpy = next(k for k in op.kernels() if k.backend == "numpy" and k.algorithm != "direct")
    wide = problem.astype("float64")
    (want,) = battery.outs_of(op, numpy, wide, CPU, [a.astype(np.float64) for a in ins])
    (scale,) = battery.outs_of(op, numpy, wide, CPU, [abs(a.astype(np.float64)) for a in ins])
    battery.compare(op.name, got, want, scale, kernel.error, problem)
    return abs(got - want).max() / abs(want).max()


# Two tiles or more along lines and along columns, none of which divides; odd channels; groups.
SEVERAL = Conv2dProblem(2, 130, 9, 10, 140, 3, 2, padding=ONE)


@emulated
@every_kernel
def test_several_tiles(op, kernel):
    with emulator.options(mode="check", order="descending"):
        agrees_with_numpy(op, kernel, SEVERAL)


@emulated
@every_kernel
def test_groups_strides_and_dilations_together(op, kernel):
    """Residues without taps, windows that hang over, groups whose channels are no fours."""
    problem = Conv2dProblem(3, 14, 11, 9, 10, 3, 4, (4, 3), ((2, 1), (1, 3)), (2, 1), groups=2)
    battery.check(op, kernel, problem, EMULATED)


@emulated
@pytest.mark.parametrize("slices", [2, 128])
def test_a_weight_gradient_in_slices(slices, monkeypatch):
    """128 slices are more than there are slabs of positions: the last ones are empty."""
    monkeypatch.setattr(weight, "SLICE", 1)
    monkeypatch.setattr(weight, "SLICES", slices)
    problem = Conv2dProblem(3, 4, 5, 6, 4, 3, 3, (1, 2), ONE, groups=2)
    op = registry.get_op("conv2d_weight")
    battery.check(op, kernel_of(op), problem, EMULATED)


@emulated
@every_op
def test_a_sum_longer_than_a_chain_is_as_exact_as_promised(op, monkeypatch):
    """Of positive terms, 2,304 to 2,592 of them: max|err| / max|y| <= 1e-6."""
    problem = Conv2dProblem(8, 256, 18, 18, 288, 3, 3, padding=ONE)
    monkeypatch.setattr(weight, "SLICES", 1)
    if op.name == "conv2d_weight":
        problem = replace(problem, c=8, k=8)
    else:
        problem = replace(problem, n=1, h=6, w=6)
    assert agrees_with_numpy(op, kernel_of(op), problem, "uniform") <= 1e-6


@emulated
@pytest.mark.slow
@every_op
@pytest.mark.parametrize(
    "problem",
    [
        Conv2dProblem(1, 3, 64, 64, 64, 11, 11, (4, 4), TWO),
        Conv2dProblem(1, 32, 27, 27, 48, 5, 5, padding=TWO),
        Conv2dProblem(2, 96, 13, 13, 64, 3, 3, padding=ONE, groups=2),
        Conv2dProblem(1, 64, 29, 29, 128, 1, 1, (2, 2)),
    ],
    ids=lambda p: f"{p.c}@{p.h} {p.k}x{p.r}",
)
def test_real_layers_agree_with_numpy(op, problem):
    agrees_with_numpy(op, kernel_of(op), problem)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (PLAIN.astype("float64"), "takes float32, not float64"),
        (Conv2dProblem(1, 1, 20, 20, 1, 17, 1), "windows of up to 16 x 16"),
        (Conv2dProblem(2**21, 1, 33, 32, 1, 1, 1), "in 32 bits"),
    ],
)
@every_op
def test_what_it_does_not_take(op, problem, reason):
    assert reason in kernel_of(op).objection(problem, EMULATED, registry.current_limits())


@every_op
def test_a_gpu_without_asynchronous_copies_is_refused(op):
    limits = registry.current_limits()
    reason = kernel_of(op).objection(PLAIN, Device("cuda", "sm_75"), limits)
    assert "needs sm_80 or newer" in reason
    assert kernel_of(op).objection(PLAIN, Device("cuda", "sm_80"), limits) is None


# ---- what the emulator sees, and what a compiler makes of it --------------------------------


@emulated
@every_op
def test_shared_memory_without_conflicts_and_sources_16_bytes_at_a_time(op):
    problem = Conv2dProblem(1, 16, 12, 12, 40, 3, 3, padding=ONE)
    launches = tuple(ladder.launches(op, kernel_of(op), problem))
    row = ladder.Row(op, kernel_of(op), problem, launches)
    lines = [line for counts in row.counts for line in counts.lines]
    conflicts = [s for s in lines if s.space == "shared" and s.transactions > s.ideal]
    assert not conflicts
    copies = [s for s in lines if s.space == "shared" and s.kind == "write" and s.bytes == 16]
    assert copies, "no copy of 16 bytes into shared memory"


FAULTS = {
    "no wait": ("wait_for_copies<STAGES - 2>();", ""),
    "a wait too late": ("wait_for_copies<STAGES - 2>", "wait_for_copies<STAGES - 1>"),
    "no barrier": (
        "wait_for_copies<STAGES - 2>();\n            __syncthreads();",
        "wait_for_copies<STAGES - 2>();",
    ),
    "no commit": ("commit_copies();  // an empty", "// an empty"),
}


@emulated
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_in_the_pipeline_is_found(fault):
    """In every order: where copies land at their issue, and where they land at the wait."""
    folder = pipelined.SOURCE.path.parent
    text = pipelined.SOURCE.text
    for name in ("correlation.cuh", "pipeline.cuh"):
        header = (folder / name).read_text().replace("#pragma once", "")
        text = text.replace(f'#include "{name}"', header)
    wrong = text.replace(*FAULTS[fault]).replace('"../', '"')
    assert wrong != text.replace('"../', '"')
    op = registry.get_op("conv2d")
    with recording() as launches:
        ins = [np.zeros(PLAIN.spec(n.rstrip("?"))[0], np.float32) for n in op.ins]
        battery.outs_of(op, kernel_of(op), PLAIN, EMULATED, ins)
    (launch,) = [made for made in launches if made.function.entry == "correlate"]
    macros, include = launch.function.macros, [folder.parent]
    correlate = emulator.Module(wrong, macros, include, "check").function("correlate")
    for order in ORDERS:
        with pytest.raises(emulator.EmulatorError) as caught:
            correlate(launch.grid, launch.block, launch.args, order=order, seed=3)
        assert isinstance(caught.value, emulator.RaceError | emulator.UninitializedError)


def test_most_of_the_main_loops_instructions_are_arithmetic():
    """On paper: 85 % of the tiles for large layers, 78 % of others (benchmarks/static.json)."""
    rows = {
        name: row["loop"]
        for name, row in static.stored().items()
        if "implicit_gemm_pipelined" in name and "INDEX=int" in name
    }
    loops = {name: loop for name, loop in rows.items() if loop}
    assert len(loops) == len(pipelined.TILES) + len(weight.TILES)
    for name, loop in loops.items():
        share = 0.85 if "OWN_COLS=16" in name else 0.78
        assert loop["math"] >= share * loop["instructions"], name
        assert loop["LDGSTS.128"] > 0, name


# ---- inline PTX -----------------------------------------------------------------------------


@emulated
def test_every_instruction_conforms_to_itself():
    told = instructions.conformance(EMULATED)
    assert told["with inline PTX"] == 1
    assert told["conform"] == ["commit_copies", "copy_async", "wait_for_copies"]


@emulated
def test_a_wrong_instruction_is_noticed(monkeypatch):
    answers = iter([np.zeros(3, np.float32), np.ones(3, np.float32)])
    monkeypatch.setattr(instructions, "to_numpy", lambda array: next(answers))
    with pytest.raises(KernelError, match="copies: the GPU does not answer what the twin does"):
        instructions.conformance(EMULATED)


def test_an_instruction_without_a_conformance_kernel_is_noticed(monkeypatch):
    text = re.sub(r"\bcommit_copies\b", "other", instructions.SOURCE.text)
    monkeypatch.setitem(instructions.SOURCE.__dict__, "text", text)
    with pytest.raises(KernelError, match="commit_copies: no conformance test covers it"):
        instructions.functions()
