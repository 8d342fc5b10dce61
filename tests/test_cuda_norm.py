"""CUDA normalisation and pooling beyond the battery: long channels, far means, chosen kernels."""

import numpy as np
import pytest

from gpuconv import battery, emulator, ops, registry
from gpuconv.device import CUDA, EMULATED, to_device, to_numpy
from gpuconv.kernels.adaptive_pool2d.op import AdaptivePool2dProblem
from gpuconv.kernels.batch_norm import _cuda as batch
from gpuconv.kernels.batch_norm.op import BatchNormProblem
from gpuconv.kernels.lrn.op import LrnProblem
from gpuconv.kernels.pool2d.op import AvgPool2dProblem
from gpuconv.limits import limits
from gpuconv.random import Stream

pytestmark = pytest.mark.emulated
FAMILY = (
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
)
EPS = 2**-23
BATCH = ("sliced", "block")
every_algorithm = pytest.mark.parametrize("algorithm", BATCH)


def there(*arrays):
    return [None if a is None else to_device(a, EMULATED) for a in arrays]


def passes(name, problem):
    op = registry.get_op(name)
    for kernel in (k for k in op.kernels() if k.backend == "cuda"):
        battery.check(op, kernel, problem, EMULATED)


@pytest.mark.parametrize("blocks", [1, 4, 1000])
@pytest.mark.parametrize("name", FAMILY)
def test_slices_of_any_size_and_number(name, blocks, monkeypatch):
    monkeypatch.setattr(batch, "BLOCKS", blocks)  # one slice of 715, two uneven ones, three
    assert batch.slices(BatchNormProblem(5, 2, 143)) == {1: 1, 4: 2, 1000: 3}[blocks]
    passes(name, BatchNormProblem(5, 2, 143))


@pytest.mark.parametrize("name", FAMILY[:2])
def test_more_slices_than_lanes_some_of_them_empty(name, monkeypatch):
    monkeypatch.setattr(batch, "slices", lambda problem: 40)
    monkeypatch.setattr("gpuconv.kernels.batch_norm.cuda_sliced.slices", lambda problem: 40)
    passes(name, BatchNormProblem(3, 2, 27))  # 81 elements: 27 slices of three, 13 of none


@every_algorithm
@pytest.mark.parametrize("mean", [0.0, 1e4, -1e5])
def test_statistics_keep_their_digits_far_from_zero(mean, algorithm):
    x = (mean + Stream(3).normal((4, 3, 20, 30))).astype(np.float32)
    wide = x.astype(np.float64)
    var = wide.var((0, 2, 3))
    running = there(np.zeros(3, np.float32), np.zeros(3, np.float32))
    y, got_mean, invstd = ops.batch_norm(
        *there(x), None, None, *running, momentum=1.0, algorithm=algorithm
    )
    want = (wide - wide.mean((0, 2, 3), keepdims=True)) / np.sqrt(var + 1e-5)[:, None, None]
    np.testing.assert_allclose(
        to_numpy(got_mean), wide.mean((0, 2, 3)), rtol=0.51 * EPS, atol=EPS / 8
    )
    np.testing.assert_allclose(to_numpy(invstd), 1 / np.sqrt(var + 1e-5), rtol=2 * EPS)
    np.testing.assert_allclose(to_numpy(running[1]), var * 2400 / 2399, rtol=2 * EPS)
    np.testing.assert_allclose(to_numpy(y), want, rtol=4 * EPS, atol=4 * EPS)


@every_algorithm
@pytest.mark.parametrize("count", [2, 255, 300, 1000])
def test_a_constant_channel_has_no_variance(count, algorithm):
    x = np.full((1, 2, count, 1), 7654321.5, np.float32)
    x[:, 1] = 0.1
    y, mean, invstd = ops.batch_norm(*there(x), eps=1e-12, algorithm=algorithm)
    assert (to_numpy(mean) == x[0, :, 0, 0]).all()
    assert (to_numpy(invstd) > 1e5).all()
    assert (abs(to_numpy(y)) <= 1).all()


@every_algorithm
@pytest.mark.parametrize("count", [3, 700])
def test_a_variance_below_what_a_float_holds_is_not_negative(count, algorithm):
    x = np.full((1, 2, count, 1), 1e-17, np.float32)
    x[:, 1] = 1e-18
    _, _, invstd = ops.batch_norm(*there(x), eps=1e-60, algorithm=algorithm)
    np.testing.assert_allclose(to_numpy(invstd), 1e30, rtol=1e-6)


@every_algorithm
def test_a_nan_stays_in_its_channel(algorithm):
    x = Stream(1).normal((2, 3, 4, 5)).astype(np.float32)
    x[1, 1, 2, 3] = np.nan
    running = there(np.zeros(3, np.float32), np.ones(3, np.float32))
    made = ops.batch_norm(*there(x), None, None, *running, algorithm=algorithm)
    for array in (*made, *running):
        lost = np.isnan(to_numpy(array))
        assert lost.take(1, axis=min(1, lost.ndim - 1)).all()
        assert not lost.take([0, 2], axis=min(1, lost.ndim - 1)).any()


@pytest.mark.parametrize("given", [(True, False), (False, True)])
def test_weight_and_bias_may_each_be_missing(given):
    x = Stream(1).normal((4, 3))
    weight, bias = (Stream(2 + k).normal((3,)) if there else None for k, there in enumerate(given))
    running = np.array([0.5, -1.0, 2.0]), np.array([0.3, 1.0, 4.0])
    here, away = (weight, bias, *running), there(x, weight, bias, *running)
    pairs = [(ops.batch_norm_inference(*away), ops.batch_norm_inference(x, *here))]
    for algorithm in BATCH:
        made = ops.batch_norm(*away[:3], algorithm=algorithm)
        pairs += zip(made, ops.batch_norm(x, *here[:2]), strict=True)
    for got, want in pairs:
        np.testing.assert_allclose(to_numpy(got), want, rtol=1e-14, atol=1e-14)


@every_algorithm
def test_no_batch_leaves_the_running_statistics_alone(algorithm):
    running = there(np.full(3, 0.5, np.float32), np.full(3, 2.0, np.float32))
    x = np.zeros((0, 3, 2, 2), np.float32)
    y, mean, _ = ops.batch_norm(*there(x), None, None, *running, algorithm=algorithm)
    assert y.shape == x.shape
    assert to_numpy(mean).tolist() == [0, 0, 0]
    assert [to_numpy(r)[0] for r in running] == [0.5, 2.0]


@pytest.mark.parametrize("name", ["lrn", "lrn_backward"])
def test_lrn_of_wide_and_narrow_windows(name):
    passes(name, LrnProblem(2, 40, 3, 33, 0.02))
    passes(name, LrnProblem(1, 5, 60, 1, 0.5, 2.0, 3.0))
    passes(name, LrnProblem(1, 3, 4, 2**33, 0.1, 0.75, 1.0))


def test_lrn_on_alexnets_shape():
    x = 100 * Stream(1).normal((1, 96, 27, 27)).astype(np.float32)
    dy = Stream(2).normal(x.shape).astype(np.float32)
    options = (5, 1e-4, 0.75, 2.0, "element")
    for function, arrays in ((ops.lrn, (x,)), (ops.lrn_backward, (dy, x))):
        want = function(*(a.astype(np.float64) for a in arrays), *options)
        got = function(*there(*arrays), *options)
        np.testing.assert_allclose(to_numpy(got), want, rtol=0, atol=16 * EPS * abs(want).max())


@pytest.mark.parametrize("name", [FAMILY[0], FAMILY[1], FAMILY[3]])
@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ((128, 512, 49), "block"),
        ((64, 10, 1), "block"),
        ((128, 64, 112 * 112), "sliced"),
        ((8, 64, 56 * 56), "sliced"),
    ],
)
def test_many_short_channels_take_a_block_each(name, sizes, chosen):
    op, problem = registry.get_op(name), BatchNormProblem(*sizes)
    assert registry.choose(op, problem, EMULATED).algorithm == chosen
    with limits(max_workspace=0):
        assert registry.choose(op, problem, EMULATED).algorithm == "block"


ADAPTIVE = {  # n c h w p q -> kernel
    (128, 2048, 7, 7, 1, 1): "warp",
    (1, 512, 7, 7, 1, 1): "warp",
    (64, 1000, 13, 13, 1, 1): "warp",
    (1, 64, 224, 224, 7, 7): "warp",
    (128, 256, 13, 13, 6, 6): "direct",
    (128, 256, 6, 6, 6, 6): "direct",
    (1, 8, 14, 14, 7, 7): "direct",
}


@pytest.mark.parametrize("device", [EMULATED, CUDA])
@pytest.mark.parametrize("sizes", ADAPTIVE)
def test_global_pooling_takes_a_warp_for_each_mean(sizes, device):
    op = registry.get_op("adaptive_avg_pool2d")
    for dtype in ("float32", "float64"):
        problem = AdaptivePool2dProblem(*sizes, dtype=dtype)
        assert registry.choose(op, problem, device).algorithm == ADAPTIVE[sizes]


@pytest.mark.parametrize(
    ("window", "stride", "chosen"), [(3, 2, "direct"), (2, 2, "direct"), (28, 1, "warp")]
)
def test_large_average_windows_take_a_warp_for_each_average(window, stride, chosen):
    problem = AvgPool2dProblem(64, 64, 28, 28, (window, window), (stride, stride))
    op = registry.get_op("avg_pool2d")
    assert registry.choose(op, problem, EMULATED).algorithm == chosen


def test_a_warp_goes_round_large_windows():
    passes("adaptive_avg_pool2d", AdaptivePool2dProblem(3, 5, 17, 19, 1, 1))
    passes("adaptive_avg_pool2d", AdaptivePool2dProblem(1, 3, 25, 23, 2, 3))
    passes("avg_pool2d", AvgPool2dProblem(2, 5, 15, 14, (13, 11), (2, 3), ((4, 2), (1, 5))))


@pytest.mark.parametrize("algorithm", ["direct", "warp"])
def test_a_long_mean_of_positive_terms_stays_accurate(algorithm):
    x = Stream(1).uniform((2, 3, 112, 112)).astype(np.float32)
    with emulator.options(mode="fast"):
        y = ops.adaptive_avg_pool2d(*there(x), 1, algorithm=algorithm)
    want = x.astype(np.float64).mean((2, 3), keepdims=True)
    np.testing.assert_allclose(to_numpy(y), want, rtol=8 * EPS)
