"""CUDA convolutions beyond the battery: many tiles, long sums, what is refused."""

import numpy as np
import pytest

from gpuconv import battery, emulator, registry
from gpuconv.device import EMULATED, to_device, to_numpy
from gpuconv.errors import KernelError
from gpuconv.kernels.conv2d import cuda_depthwise as depthwise
from gpuconv.kernels.conv2d import cuda_direct_tiled as tiled
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.layers import Conv2d
from gpuconv.limits import current_limits, limits
from gpuconv.ops._call import call
from gpuconv.random import Stream

pytestmark = pytest.mark.emulated
OPS = [registry.get_op(name) for name in ("conv2d", "conv2d_input", "conv2d_weight")]
SAME = ((1, 1), (1, 1))
every_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)


def cuda_kernel(op, algorithm):
    """The op's CUDA kernel of that name."""
    return next(k for k in op.kernels() if k.name == f"cuda:{algorithm}")


def check(op, algorithm, problem, arrays=None):
    """Compare a kernel under checks with NumPy's in float64."""
    arrays = arrays or battery.draw(op, problem)
    wide = [a.astype(np.float64) for a in arrays]
    want = call(op, problem.astype("float64"), *wide)
    scale = call(op, problem.astype("float64"), *map(abs, wide))
    with emulator.options(mode="check"):
        got = call(op, problem, *(to_device(a, EMULATED) for a in arrays), algorithm=algorithm)
    error = registry.choose(op, problem, EMULATED, algorithm).error
    battery.compare(f"{op.name} {problem}", to_numpy(got), want, scale, error, problem)


def run_cases(op, algorithm):
    """The battery on every case that the kernel takes."""
    kernel = cuda_kernel(op, algorithm)
    for problem in op.cases():
        if kernel.objection(problem, EMULATED, current_limits()) is None:
            battery.check(op, kernel, problem, EMULATED)


@every_op
def test_small_tiles_of_few_channels_give_the_same(op, monkeypatch):
    fewer = {"POSITIONS": 12, "SLOPES": 6, "CHANNELS": 2, "SHARERS": 1, "SLICES": 3}
    for name, value in fewer.items():
        monkeypatch.setattr(tiled, name, value)
    run_cases(op, "direct_tiled")


TILES = (
    Conv2dProblem(2, 3, 19, 37, 19, 3, 3, padding=SAME),  # two sets of filters, rows and columns
    Conv2dProblem(1, 70, 6, 5, 17, 3, 3, (2, 2), SAME, (2, 1)),  # ten steps of channels
    Conv2dProblem(2, 6, 30, 41, 4, 5, 4, (3, 2), ((2, 0), (1, 3)), (2, 3), groups=2),
    Conv2dProblem(1, 2, 1, 300, 5, 1, 9, (1, 4), ((0, 0), (4, 4))),
    Conv2dProblem(2, 600, 3, 3, 70, 1, 1),  # more steps than a LongSum's part has
)


@every_op
@pytest.mark.parametrize("problem", TILES, ids=str)
def test_problems_of_many_tiles(op, problem):
    check(op, "direct_tiled", problem)


def test_the_larger_problems_need_several_tiles_sets_and_steps():
    views = [tiled.outputs(problem) for problem in TILES]
    tiles = [next(tiled._tiles(*pair)) for pair in zip(views, TILES, strict=True)]
    assert views[0].tiles(tiles[0]) == 8
    assert [tile.sets for tile in tiles] == [2, 3, 1, 1, 8]
    assert TILES[-1].c > 16 * tiles[-1].channels


@pytest.mark.parametrize("algorithm", ["direct_tiled", "depthwise"])
def test_an_infinity_that_no_window_holds_changes_nothing(algorithm):
    problem = Conv2dProblem(1, 1, 5, 76, 2, 3, 3, (2, 2))  # 37 outputs; column 75 is left over
    for op in (OPS[0], OPS[2]):
        x, *others = battery.draw(op, problem)
        x[..., 75] = np.inf
        given = [to_device(a, EMULATED) for a in (x, *others)]
        assert np.isfinite(to_numpy(call(op, problem, *given, algorithm=algorithm))).all()


LONG_SUMS = {
    "conv2d": Conv2dProblem(1, 100_000, 2, 2, 5, 1, 1),
    "conv2d_input": Conv2dProblem(1, 5, 2, 2, 100_000, 1, 1),
    "conv2d_weight": Conv2dProblem(64, 2, 13, 13, 5, 3, 3),
}


@every_op
def test_long_sums_of_positive_terms_stay_accurate(op):
    problem = LONG_SUMS[op.name]
    check(op, "direct_tiled", problem, [np.exp(a) for a in battery.draw(op, problem)])


WIDE = Conv2dProblem(1, 1, 130, 130, 1, 2, 2, dilation=(128, 128))  # 129 x 129 floats: 65 KB
LONG = Conv2dProblem(1, 2, 20, 20, 3, 17, 16)


@pytest.mark.parametrize(
    ("name", "problem", "reason"),
    [
        ("conv2d", WIDE, r"window of 129 x 129 and its weights do not fit into 48 KB .* direct"),
        ("conv2d_input", WIDE, r"window of 129 x 129 and its weights do not fit into 48 KB"),
        ("conv2d_weight", WIDE, r"window of 129 x 129 and its weights do not fit into 48 KB"),
        ("conv2d_weight", LONG, r"each of a window's 272 weights, over 256; take direct"),
    ],
)
def test_what_finds_no_room_is_refused_and_computed_by_another(name, problem, reason):
    op = registry.get_op(name)
    with pytest.raises(KernelError, match=reason):
        registry.choose(op, problem, EMULATED, "direct_tiled")
    check(op, None, problem)


def test_half_as_many_doubles_find_room():
    problem = Conv2dProblem(1, 1, 90, 90, 1, 2, 2, dilation=(88, 88))
    for op in OPS:
        check(op, "direct_tiled", problem)
        with pytest.raises(KernelError, match="window of 89 x 89"):
            registry.choose(op, problem.astype("float64"), EMULATED, "direct_tiled")


DEPTHWISE = (
    Conv2dProblem(2, 5, 23, 70, 5, 3, 3, padding=SAME, groups=5),  # two tiles across, a plane each
    Conv2dProblem(3, 40, 7, 7, 80, 5, 5, (2, 2), ((2, 2), (2, 2)), groups=40),  # planes together
    Conv2dProblem(2, 6, 30, 41, 18, 5, 4, (3, 2), ((2, 0), (1, 3)), (2, 3), groups=6),
    Conv2dProblem(9, 1, 28, 28, 6, 5, 5, padding=((2, 2), (2, 2))),  # seven slices of outputs
)


@every_op
@pytest.mark.parametrize("problem", DEPTHWISE, ids=str)
def test_depthwise_planes_and_tiles(op, problem):
    check(op, "depthwise", problem)


@every_op
def test_costs_choose_the_kernel_for_the_shape(op):
    deep = Conv2dProblem(32, 128, 56, 56, 128, 3, 3, padding=SAME)
    apart = Conv2dProblem(32, 128, 56, 56, 128, 3, 3, padding=SAME, groups=128)
    assert registry.choose(op, apart, EMULATED).algorithm == "depthwise"
    assert registry.choose(op, deep, EMULATED).algorithm.startswith("implicit_gemm_pipelined")
    costs = [cuda_kernel(op, name).cost(deep, EMULATED) for name in ("direct_tiled", "direct")]
    assert costs == sorted(costs)


def test_the_depthwise_problems_share_blocks_and_slices():
    tiles = [next(depthwise._tiles(depthwise.outputs(p), p)) for p in DEPTHWISE]
    assert [tile.sets for tile in tiles] == [1, 16, 1, 1]
    assert [depthwise._slices(p) for p in DEPTHWISE] == [4, 1, 1, 7]


def test_depthwise_long_sums_stay_accurate():
    problem = Conv2dProblem(12, 1, 130, 130, 1, 2, 2)
    op = registry.get_op("conv2d_weight")
    check(op, "depthwise", problem, [np.exp(a) for a in battery.draw(op, problem)])


@every_op
def test_depthwise_refuses_channels_that_meet(op):
    problem = Conv2dProblem(1, 4, 5, 5, 4, 3, 3, groups=2)
    with pytest.raises(KernelError, match=r"a group for each channel, got 2 groups of 4 channels"):
        registry.choose(op, problem, EMULATED, "depthwise")


def test_a_weight_gradient_finds_a_kernel_without_workspace():
    op, problem = registry.get_op("conv2d_weight"), TILES[0]
    assert cuda_kernel(op, "direct").workspace(problem, EMULATED) > 0
    check(op, "direct_one_slice", problem)
    with limits(max_workspace=0):
        chosen = registry.choose(op, problem, EMULATED)
    assert chosen.workspace(problem, EMULATED) == 0
    check(op, chosen.name, problem)


def weight_gradient(where, **limit):
    """A layer's, from the same input and output gradient everywhere."""
    layer = Conv2d(3, 4, 5, bias=False).to(where)
    x, dy = Stream(1).normal((8, 3, 28, 28)), Stream(2).normal((8, 4, 24, 24))
    with limits(**limit):
        _, saved = layer.forward(to_device(x.astype(np.float32), where), train=True)
        layer.backward(to_device(dy.astype(np.float32), where), saved)
    return to_numpy(layer.weight.grad)


def test_a_convolution_trains_without_workspace():
    grads = weight_gradient("cpu"), weight_gradient("emulated", max_workspace=0)
    np.testing.assert_allclose(*grads, rtol=1e-4, atol=1e-3)
