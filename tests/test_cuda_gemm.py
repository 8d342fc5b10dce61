"""The kernels that share gemm.cuh: several tiles, slices, chains and chunks; real layers; costs."""

from dataclasses import replace

import numpy as np
import pytest

from gpuconv import battery, limits, registry
from gpuconv.device import CPU, CUDA, EMULATED
from gpuconv.kernels import _gemm as gemm
from gpuconv.kernels.conv2d import cuda_im2col_gemm as im2col
from gpuconv.kernels.conv2d import cuda_implicit_gemm as implicit
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.kernels.linear.op import LinearProblem
from gpuconv.random import Stream

ALGORITHMS = ("register_tiled", "im2col_gemm", "implicit_gemm")
KERNELS = [
    (op, kernel)
    for op in registry.ops().values()
    for kernel in op.kernels()
    if kernel.backend == "cuda" and kernel.algorithm in ALGORITHMS
]
NAMES = [f"{op.name}-{kernel.algorithm}" for op, kernel in KERNELS]
CONVOLUTIONS = ("conv2d", "conv2d_input", "conv2d_weight")
ONE, TWO = ((1, 1), (1, 1)), ((2, 2), (2, 2))

emulated = pytest.mark.emulated
every_kernel = pytest.mark.parametrize(("op", "kernel"), KERNELS, ids=NAMES)

# More than one tile along rows, along columns or along both; none divides.
TILES = {
    "linear": LinearProblem(67, 3, 70),
    "linear_input": LinearProblem(67, 70, 3),
    "linear_weight": LinearProblem(3, 70, 67),
    "conv2d": Conv2dProblem(1, 1, 8, 9, 66, 2, 2),
    "conv2d_input": Conv2dProblem(1, 66, 9, 9, 1, 2, 3, (1, 2), ONE),
    "conv2d_weight": Conv2dProblem(2, 9, 3, 3, 66, 3, 3, padding=((0, 0), (1, 0))),
}
# A long sum: over images whose ends fall into slices, chains and chunks.
IMAGES = Conv2dProblem(3, 4, 5, 6, 4, 3, 3, (1, 2), ONE, groups=2)
LONG = {
    "linear": LinearProblem(3, 90, 5),
    "linear_input": LinearProblem(3, 5, 90),
    "linear_weight": LinearProblem(90, 3, 5),
    **dict.fromkeys(CONVOLUTIONS, IMAGES),
}


def check(op, kernel, problem):
    """The battery, where the op has an epilogue with it too."""
    battery.check(op, kernel, problem, EMULATED)
    if "bias?" in op.ins:
        battery.check(op, kernel, replace(problem, epilogue="relu"), EMULATED)


@emulated
@every_kernel
def test_several_tiles(op, kernel):
    check(op, kernel, TILES[op.name])


@emulated
@every_kernel
@pytest.mark.parametrize("slices", [2, 3, 64])
def test_a_sum_in_slices(op, kernel, slices, monkeypatch):
    """64 slices are more than there are steps: the last ones are empty."""
    monkeypatch.setattr(gemm, "SLICE", 1)
    monkeypatch.setattr(gemm, "SLICES", slices)
    check(op, kernel, LONG[op.name])


@emulated
@every_kernel
def test_a_sum_in_chains(op, kernel, monkeypatch):
    monkeypatch.setattr(gemm.Gemm, "chain", 2 * gemm.STEP)
    check(op, kernel, LONG[op.name])


@emulated
@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("positions", [4, 23])
def test_columns_in_chunks(name, positions, monkeypatch):
    """An image has 15 positions: chunks end within one, and one of 23 begins in one image's middle
    and ends in the next but one."""
    monkeypatch.setattr(im2col, "COLUMNS", 0)
    monkeypatch.setattr(im2col, "POSITIONS", positions)
    op = registry.get_op(name)
    assert len(list(im2col._chunks(IMAGES))) == -(-45 // positions)
    check(op, kernel_of(op, "im2col_gemm"), IMAGES)


def kernel_of(op, algorithm):
    """The op's CUDA kernel of that name."""
    return next(k for k in op.kernels() if k.name == f"cuda:{algorithm}")


@emulated
@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_a_data_gradient_residue_by_residue(stride, dilation):
    """Also strides and dilations with a common factor, residues without taps, or without inputs."""
    problem = Conv2dProblem(
        1, 2, 9, 3, 3, 3, 2, (stride, 4), ((2, 1), (1, 2)), dilation=(dilation, 2)
    )
    op = registry.get_op("conv2d_input")
    check(op, kernel_of(op, "implicit_gemm"), problem)


def test_residues_share_out_every_product():
    """Every input is in one of them, and meets the taps whose window begins at an output's."""
    problem = Conv2dProblem(2, 3, 16, 15, 4, 3, 5, (2, 3), ((1, 0), (2, 2)), dilation=(1, 2))
    gemms = [g for g, _, _ in implicit._residues(problem)]
    down = sum((row + 1 - r) % 2 == 0 for row in range(16) for r in range(3))
    across = sum((col + 2 - 2 * s) % 3 == 0 for col in range(15) for s in range(5))
    assert sum(g.cols for g in gemms) == 2 * 16 * 15
    assert sum(g.rows * g.cols * g.depth for g in gemms) == 2 * 3 * 4 * down * across


# AlexNet's layers (Krizhevsky 2014), of fewer channels.
LAYERS = {
    "linear": LinearProblem(33, 1152, 520),
    "linear_input": LinearProblem(33, 520, 1152),
    "linear_weight": LinearProblem(600, 129, 260),
    "conv1": Conv2dProblem(1, 3, 64, 64, 64, 11, 11, (4, 4), TWO),
    "conv2": Conv2dProblem(1, 32, 27, 27, 48, 5, 5, padding=TWO),
    "conv3": Conv2dProblem(2, 48, 13, 13, 96, 3, 3, padding=ONE),
    "conv4, 2 groups": Conv2dProblem(2, 96, 13, 13, 64, 3, 3, padding=ONE, groups=2),
}


def layers():
    """Every kernel on every layer that is its op's."""
    for op, kernel in KERNELS:
        for name, problem in LAYERS.items():
            if name == op.name or (name.startswith("conv") and op.name.startswith("conv")):
                yield pytest.param(op, kernel, problem, id=f"{op.name}-{kernel.algorithm}-{name}")


@emulated
@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize(("op", "kernel", "problem"), list(layers()))
def test_real_layers_agree_with_numpy(op, kernel, problem, kind):
    """In float64, and where all terms are positive: then a long sum's rounding shows most."""
    draw = getattr(Stream(5), kind)
    ins = [draw(problem.spec(n.rstrip("?"))[0]).astype(np.float32) for n in op.ins]
    (got,) = battery.outs_of(op, kernel, problem, EMULATED, ins)
    numpy = next(k for k in op.kernels() if k.backend == "numpy" and k.algorithm != "direct")
    wide = problem.astype("float64")
    (want,) = battery.outs_of(op, numpy, wide, CPU, [a.astype(np.float64) for a in ins])
    (scale,) = battery.outs_of(op, numpy, wide, CPU, [abs(a.astype(np.float64)) for a in ins])
    battery.compare(op.name, got, want, scale, kernel.error, problem)


def taken(name, problem):
    """The kernel that is chosen on a GPU."""
    return registry.choose(registry.get_op(name), problem, CUDA).algorithm


def test_large_layers_take_the_fast_kernels():
    assert taken("linear", LinearProblem(128, 9216, 4096)) == "register_tiled"
    conv3 = Conv2dProblem(128, 192, 13, 13, 384, 3, 3, padding=ONE)
    assert taken("conv2d", conv3) == "implicit_gemm_pipelined"
    assert all(taken(name, conv3).startswith("implicit_gemm_pipelined") for name in CONVOLUTIONS)


def test_a_kernel_remains_where_no_workspace_is_allowed():
    """conv2d_weight's products are in slices here, as linear's is: another kernel takes them."""
    conv3 = Conv2dProblem(128, 192, 13, 13, 384, 3, 3, padding=ONE)
    fc7 = LinearProblem(128, 4096, 4096)
    with limits(max_workspace=0):
        assert taken("conv2d", conv3) == taken("conv2d_input", conv3) == "implicit_gemm"
        assert taken("conv2d_weight", conv3) not in ALGORITHMS
        assert taken("linear", fc7) == "tiled"
        assert taken("linear_weight", fc7) == "register_tiled"  # enough tiles without slices


def test_columns_stay_under_their_cap():
    conv2 = Conv2dProblem(128, 64, 27, 27, 192, 5, 5, padding=TWO)
    (kernel,) = {k for op, k in KERNELS if op.name == "conv2d" and k.algorithm == "im2col_gemm"}
    assert im2col.COLUMNS * 0.99 < kernel.workspace(conv2, CUDA) <= im2col.COLUMNS
    assert kernel.workspace(replace(conv2, n=1), CUDA) == 4 * 64 * 25 * 27**2
