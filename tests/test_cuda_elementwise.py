"""CUDA kernels of activations, losses, padding and updates beyond the battery's small cases."""

import numpy as np
import pytest

from gpuconv import battery, errors, ops, registry
from gpuconv.device import EMULATED, to_device, to_numpy
from gpuconv.kernels import _cuda as shared
from gpuconv.kernels.activation import op as activation
from gpuconv.kernels.clip.op import ClipProblem
from gpuconv.kernels.concat.op import ConcatProblem
from gpuconv.kernels.loss import LossProblem
from gpuconv.kernels.pad import cuda_direct as padding
from gpuconv.kernels.pad.op import PadProblem
from gpuconv.kernels.prelu.op import PreluProblem
from gpuconv.random import Stream

pytestmark = pytest.mark.emulated
SUMS = {
    "mse": LossProblem((1031,)),
    "bce_with_logits": LossProblem((1031,)),
    "clip_grad_norm": ClipProblem(1031),
    "prelu_backward": PreluProblem((7, 3, 11, 13), 3),  # 1001 elements a channel
}


def check(name, problem):
    op = registry.get_op(name)
    kernels = [k for k in op.kernels() if k.backend == "cuda"]
    assert kernels
    for kernel in kernels:
        battery.check(op, kernel, problem, EMULATED)


@pytest.mark.parametrize("most", [1, 3, 6])
@pytest.mark.parametrize("name", SUMS)
def test_few_blocks_share_a_long_sum(name, most, monkeypatch):
    monkeypatch.setattr(shared, "PARTIALS", most)
    check(name, SUMS[name])


def test_one_weight_is_one_channel_of_many_slices():
    check("prelu_backward", PreluProblem((7, 3, 11, 13), 1))


@pytest.mark.parametrize("name", ["mse", "bce_with_logits"])
def test_a_long_mean_stays_accurate(name):
    x = Stream(1).uniform((3 << 17,)).astype(np.float32)
    target = np.zeros_like(x)
    run = getattr(ops, name)
    want = run(x.astype(np.float64), target.astype(np.float64))
    got = run(to_device(x, EMULATED), to_device(target, EMULATED))
    assert abs(float(to_numpy(got)) - want) <= 4 * 2**-23 * want


def test_the_loss_of_a_sure_and_right_answer_keeps_its_digits():
    x = to_device(np.array([-30.0, 25.0], np.float32), EMULATED)
    loss = ops.bce_with_logits(x, to_device(np.array([0, 1], np.float32), EMULATED))
    np.testing.assert_allclose(to_numpy(loss), (np.exp(-30) + np.exp(-25)) / 2, rtol=1e-6)


def test_a_nan_shows_in_the_weight_gradient_of_prelu_and_hands_dx_on():
    x = to_device(np.array([[np.nan, 1.0], [1.0, -2.0]]), EMULATED)
    ones, weight = (to_device(a, EMULATED) for a in (np.ones((2, 2)), np.full(2, 0.25)))
    dx, dweight = ops.prelu_backward(ones, x, weight)
    assert np.isnan(to_numpy(dweight)).tolist() == [True, False]
    assert to_numpy(dx).tolist() == [[1.0, 1.0], [1.0, 0.25]]


# Where e^x - 1 and tanh lose every digit if taken from the definition, and where e^x overflows.
AWKWARD = np.array([1e-40, 1e-20, 3e-8, 1e-4, 0.5, 17, 88.8, 104, 710, 746, 1e30], np.float32)
FORWARD = (activation.elu, activation.sigmoid, activation.tanh, activation.leaky_relu)


@pytest.mark.parametrize("op", FORWARD, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_near_zero_and_far_from_it(op, dtype):
    x = np.concatenate([AWKWARD, -AWKWARD]).astype(dtype)
    problem = op.problem(x.shape, dtype=dtype)
    got = to_numpy(getattr(ops, op.name)(to_device(x, EMULATED)))
    want = op.reference(problem, x.astype(np.float64))
    scale = op.scale(problem, (want,), x)
    assert battery.compare(op.name, got, want, scale, 4.0, problem) <= 4.0


@pytest.mark.parametrize("step", [1, 2, 3, 1000, 123_456_789])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_at_early_and_late_steps(step, dtype):
    arrays = [Stream(2, 0, i).normal((300,)).astype(dtype) for i in range(4)]
    arrays[3] = abs(arrays[3])
    here, there = [a.copy() for a in arrays], [to_device(a.copy(), EMULATED) for a in arrays]
    for given in (here, there):
        ops.adam(*given, 0.02, step, weight_decay=0.1, decoupled=True)
    for cpu, emulated in zip(here, there, strict=True):
        bound = 8 * np.finfo(dtype).eps * (abs(cpu) + 0.02)
        assert (abs(to_numpy(emulated) - cpu) <= bound).all()


def test_clip_by_norm_adds_squares_in_double():
    g = np.full(20_000, 1e-3, np.float32)
    g[0] = 1e3
    norm = to_numpy(ops.clip_grad_norm(to_device(g, EMULATED), 1e9))
    assert norm == np.float32(np.sqrt(1e6 + 19_999 * float(g[1]) ** 2))
    big = to_device(np.full(2, 1e30, np.float32), EMULATED)
    assert to_numpy(ops.clip_grad_norm(big, 1.0)) == np.float32(np.sqrt(2.0) * 1e30)
    np.testing.assert_allclose(to_numpy(big), np.sqrt(0.5), rtol=1e-6)


def test_clip_by_norm_hands_a_nan_on_and_leaves_a_short_gradient_alone():
    g = to_device(np.array([1.0, np.nan, 2.0]), EMULATED)
    assert np.isnan(to_numpy(ops.clip_grad_norm(g, 1.0)))
    assert np.isnan(to_numpy(g)).all()
    short = to_device(np.array([3.0, 4.0]), EMULATED)
    assert to_numpy(ops.clip_grad_norm(short, 5.5)) == 5.0
    assert to_numpy(short).tolist() == [3.0, 4.0]


def test_axes_without_padding_are_joined():
    problem = PadProblem((2, 3, 4, 5, 6, 7), ((0, 0), (0, 0), (1, 0), (0, 0), (0, 0), (2, 3)))
    assert padding._axes(problem) == [(6, 0, 6), (4, 1, 5), (30, 0, 30), (7, 2, 12)]


def test_as_many_padded_axes_as_there_is_room_for():
    pairs = ((1, 0), (0, 1)) * 4
    x = Stream(3).normal((1, 2) * 4)
    y = ops.pad(to_device(x, EMULATED), pairs, 0.5)
    np.testing.assert_array_equal(to_numpy(y), np.pad(x, pairs, constant_values=0.5))
    np.testing.assert_array_equal(to_numpy(ops.pad_backward(y, pairs)), x)


def test_more_padded_axes_are_refused_in_words():
    x = to_device(np.zeros((1,) * 9), EMULATED)
    with pytest.raises(errors.KernelError, match="at most 8 axes .*, got 9; pad some of them in a"):
        ops.pad(x, ((1, 0),) * 9)


def test_a_border_around_nothing_and_a_part_of_many_rows():
    check("pad", PadProblem((0, 3), ((2, 1), (0, 1)), 4.0))
    check("concat", ConcatProblem((40, 3, 7), 1, 2, 6))
    check("concat_backward", ConcatProblem((40, 3, 7), 1, 2, 6))
