"""Limits hold inside their block and are checked when they are set."""

import numpy as np
import pytest

from gpuconv import ops, registry
from gpuconv.device import CPU
from gpuconv.errors import KernelError, OptionError
from gpuconv.kernels.conv2d.op import conv2d
from gpuconv.limits import current_limits, limits
from gpuconv.ops.conv import conv_problem


def test_a_limit_on_precision_reaches_float32_calls_only():
    x = np.ones((1, 1, 2, 2))
    with limits(precision="tf32"):
        assert ops.conv2d(x, x).item() == 4
        with pytest.raises(KernelError, match=r"computes in fp32, fp64, not in tf32"):
            ops.conv2d(x.astype("float32"), x.astype("float32"))


def test_limits_nest_and_end():
    outside = current_limits()
    with limits(max_workspace=10, precision="bf16"):
        with limits(max_workspace=20) as inner:
            assert (inner.max_workspace, inner.precision) == (20, "bf16")
        assert current_limits().max_workspace == 10
    with pytest.raises(ZeroDivisionError), limits(max_error=0.1):
        _ = 1 / 0
    assert current_limits() == outside


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"workspace": 1}, "limits: unknown limit workspace; expected max_workspace, precision"),
        ({"precision": "fp8"}, "limits: unknown precision 'fp8'; expected one of fp32, fp32x3"),
        ({"max_workspace": -1}, "limits: max_workspace must be >= 0 or None, got -1"),
        ({"max_error": float("nan")}, "limits: max_error must be >= 0 or None, got nan"),
        ({"max_workspace": "1GB"}, "limits: max_workspace must be >= 0 or None, got '1GB'"),
    ],
)
def test_bad_limits_are_refused(bad, text):
    with pytest.raises(OptionError) as caught, limits(**bad):
        pytest.fail("the block was entered")
    assert str(caught.value).startswith(text)


def test_a_plan_names_kernels():
    x, w = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 1, 1), np.float32)
    problem = conv_problem("conv2d", x.shape, w.shape)
    usual = registry.choose(conv2d, problem, CPU).name
    assert usual != "numba:direct"
    with limits(plan={"conv2d": "numba:direct"}) as inside:
        assert inside.plan == {"conv2d": "numba:direct"}
        assert registry.choose(conv2d, problem, CPU).name == "numba:direct"
        assert registry.choose(conv2d, problem, CPU, "im2col").name == "numpy:im2col"
        ops.conv2d(x, w)
    assert registry.choose(conv2d, problem, CPU).name == usual
    with limits(plan={"conv2d": "nothing"}), pytest.raises(KernelError, match="'nothing'"):
        ops.conv2d(x, w)


@pytest.mark.parametrize("plan", [{"conv2d": 1}, {1: "direct"}, ["conv2d"], None])
def test_a_plan_maps_names_to_names(plan):
    with pytest.raises(OptionError, match="plan must map names of ops"), limits(plan=plan):
        pass
