"""The CPU's normalisations and channel sums where the battery's small cases do not reach."""

from dataclasses import replace

import numpy as np
import pytest

from gpuconv import battery, cpu, device, formats, ops
from gpuconv.kernels import _numba_channels
from gpuconv.kernels.array.op import ChannelSumProblem
from gpuconv.kernels.batch_norm.op import BatchNormProblem
from gpuconv.kernels.lrn.op import LrnProblem
from gpuconv.registry import get_op

BATCH = {  # what each is here for
    "blocks": BatchNormProblem(2, 7, 35),
    "idle lanes": BatchNormProblem(3, 17, 5),
    "whole vectors": BatchNormProblem(1, 16, 16),
    "matrix": BatchNormProblem(9, 6, 1),
}
LOCAL = {
    "blocks": LrnProblem(2, 7, 19, 5, 0.25),
    "idle lanes": LrnProblem(1, 17, 20, 4, 0.5, 0.75, 2.0),
    "a power": LrnProblem(1, 8, 3, 3, 1.0, 0.6, 0.5),
    "wide": LrnProblem(1, 6, 5, 13, 0.1),
    "several tiles": LrnProblem(1, 6, 70, 5, 0.1),
}
SUMS = {"blocks": ChannelSumProblem((2, 7, 5, 7)), "idle lanes": ChannelSumProblem((3, 17, 2, 2))}
PROBLEMS = {
    "batch_norm": BATCH,
    "batch_norm_backward": BATCH,
    "batch_norm_inference": BATCH,
    "batch_norm_inference_backward": BATCH,
    "lrn": LOCAL,
    "lrn_backward": LOCAL,
    "channel_sum": SUMS,
}
CASES = [
    pytest.param(op, problem, id=f"{op}-{name}")
    for op, problems in PROBLEMS.items()
    for name, problem in problems.items()
]
LEVELS = {"generic": "NCHWc4", "avx2": "NCHWc8", "avx512": "NCHWc16"}


def _numba(op):
    (found,) = (k for k in get_op(op).kernels() if k.backend == "numba")
    return found


def _check(op, problem):
    for optional in battery.variants(get_op(op)):
        battery.check(get_op(op), _numba(op), problem, device.CPU, optional=optional)


@pytest.mark.parametrize(("op", "problem"), CASES)
def test_plain_and_in_this_cpus_blocks(op, problem):
    _check(op, problem)
    _check(op, replace(problem, format=formats.native()))


@pytest.mark.slow
@pytest.mark.parametrize("level", list(LEVELS))
@pytest.mark.parametrize(("op", "problem"), CASES)
def test_blocks_of_every_width(monkeypatch, level, op, problem):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    _check(op, replace(problem, format=LEVELS[level]))


def _small_pieces(monkeypatch):
    """Cuts that only large arrays have otherwise: several pieces of a row, several slices."""
    monkeypatch.setattr(_numba_channels, "PIECE", 32)
    for cached in (_numba_channels.channels_of, _numba_channels._bound):
        cached.cache_clear()


@pytest.fixture
def small_pieces(monkeypatch):
    _small_pieces(monkeypatch)
    yield
    monkeypatch.undo()
    for cached in (_numba_channels.channels_of, _numba_channels._bound):
        cached.cache_clear()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("op", [op for op in PROBLEMS if not op.startswith("lrn")])
def test_rows_in_several_pieces(op):
    is_sum = op == "channel_sum"
    problem = ChannelSumProblem((2, 7, 107)) if is_sum else BatchNormProblem(2, 7, 107)
    cut = _numba_channels.channels_of((2, 7, 107), False)
    assert cut.parts == 4
    assert cut.slices > 1
    _check(op, problem)
    _check(op, replace(problem, format=formats.native()))


@pytest.mark.parametrize("op", ["batch_norm", "batch_norm_backward", "channel_sum"])
def test_bits_do_not_depend_on_threads(op):
    is_sum = op == "channel_sum"
    problem = ChannelSumProblem((9, 3, 40)) if is_sum else BatchNormProblem(9, 3, 40)
    declared, before, bits = get_op(op), cpu.get_num_threads(), set()
    arrays = battery.draw(declared, problem)
    for threads in (1, 2):
        cpu.set_num_threads(threads)
        try:
            outs = battery.outs_of(declared, _numba(op), problem, device.CPU, arrays)
        finally:
            cpu.set_num_threads(before)
        bits.add(b"".join(out.tobytes() for out in outs))
    assert len(bits) == 1


@pytest.mark.parametrize("shape", [(8, 2, 300, 1), (2, 16, 40, 30)])
def test_a_variance_far_below_the_mean_and_behind_an_outlier(shape):
    """A first element, and a whole first image, far from all others: bad numbers to shift by."""
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32) + 5000
    x[0, 0, 0, 0], x[0, 1] = -5000, x[0, 1] - 900
    _, mean, invstd = ops.batch_norm(x, algorithm="numba:one_pass")
    wide = x.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean((0, 2, 3)), rtol=2e-7)
    want = 1 / np.sqrt(wide.var((0, 2, 3)) + 1e-5)
    np.testing.assert_allclose(invstd, want, rtol=2e-6)


def test_a_first_row_far_from_very_many_others():
    """What is summed leaves the first number behind: else every square would be rounded at its."""
    x = np.random.default_rng(3).standard_normal((1 << 16, 32)).astype(np.float32)
    x[0] = 1e4
    invstd = ops.batch_norm(x, algorithm="numba:one_pass")[2]
    want = 1 / np.sqrt(x.astype(np.float64).var(0) + 1e-5)
    np.testing.assert_allclose(invstd, want, rtol=5e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_channel(value):
    x = np.random.default_rng(2).standard_normal((2, 17, 5, 7)).astype(np.float32)
    clean = ops.batch_norm(x, algorithm="numba:one_pass")[0]
    x[1, 3, 2, 2] = value
    y, _, invstd = ops.batch_norm(x, algorithm="numba:one_pass")
    assert np.isnan(invstd[3])
    assert np.isnan(y[:, 3]).all()
    others = np.arange(17) != 3
    np.testing.assert_array_equal(y[:, others], clean[:, others])


def test_nan_spreads_over_its_window_alone_in_lrn():
    x = np.ones((1, 16, 3, 5), np.float32)
    x[0, 7, 1, 2] = np.nan
    y = ops.lrn(x, 5, algorithm="numba:tiled")
    assert np.argwhere(np.isnan(y)).tolist() == [[0, c, 1, 2] for c in range(5, 10)]


def test_large_arrays_go_to_numba_and_tiny_ones_to_numpy():
    from gpuconv.registry import choose

    for op in ("batch_norm", "batch_norm_backward", "batch_norm_inference"):
        chosen = [choose(get_op(op), BatchNormProblem(*s), device.CPU) for s in _SIZES]
        assert [kernel.backend for kernel in chosen] == ["numpy", "numba"]


_SIZES = ((2, 3, 16), (16, 64, 3025))
