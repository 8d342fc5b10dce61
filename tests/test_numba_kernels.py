"""Numba-CUDA kernels beyond the battery: loops that go round, edges of tiles, a LeNet step."""

import inspect
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from house_rules import ROOT

import gpuconv as gcv
from gpuconv import battery, ops, registry
from gpuconv.device import EMULATED, to_device, to_numpy
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.kernels.prelu.op import PreluProblem
from gpuconv.random import Stream
from gpuconv.training.evaluate import loader

pytestmark = [pytest.mark.numba_cuda, pytest.mark.emulated]
KNOWN = [
    (op, kernel)
    for op in registry.ops().values()
    for kernel in op.kernels()
    if kernel.backend == "numba_cuda"
]
NAMES = [f"{op.name}-{kernel.algorithm}" for op, kernel in KNOWN]


@pytest.mark.parametrize(("op", "kernel"), KNOWN, ids=NAMES)
def test_one_block_does_the_work_of_many(op, kernel, monkeypatch):
    shared = import_module("gpuconv.kernels._numba_cuda")
    monkeypatch.setattr(shared, "grid_for", lambda count, block=1: (1,))
    for problem in list(op.cases())[:2]:
        battery.check(op, kernel, problem, EMULATED)


LARGER = {
    # 18 filters of 2 x 3 x 3 taps (two steps of 16) at 35 outputs: tiles two down, three across
    "conv2d": Conv2dProblem(1, 2, 5, 7, 18, 3, 3, padding=((1, 1), (1, 1))),
    "conv2d_weight": Conv2dProblem(5, 2, 7, 3, 2, 3, 1),  # 25 rows in 6 slices, the last empty
    "prelu_backward": PreluProblem((3, 2, 40, 30), 2),  # 3600 elements a weight, 15 a thread
}


@pytest.mark.parametrize("name", LARGER)
def test_sizes_that_do_not_divide(name):
    op = registry.get_op(name)
    for kernel in (k for k in op.kernels() if k.backend == "numba_cuda"):
        battery.check(op, kernel, LARGER[name], EMULATED)


@pytest.mark.parametrize("algorithm", ["direct", "tiled", "im2col"])
def test_a_long_sum_of_positive_terms_stays_accurate(algorithm):
    """4608 terms: more than CHAIN channels of direct, more than CHAIN steps of a tile."""
    stream = Stream(1)
    x = stream.uniform((1, 512, 3, 3)).astype(np.float32)
    weight = stream.at(1).uniform((2, 512, 3, 3)).astype(np.float32)
    want = ops.conv2d(x.astype(np.float64), weight.astype(np.float64))
    given = to_device(x, EMULATED), to_device(weight, EMULATED)
    got = to_numpy(ops.conv2d(*given, algorithm=f"numba_cuda:{algorithm}"))
    assert (abs(got - want) <= 8 * 2**-23 * want).all()


def plan(algorithm):
    """An op's Numba-CUDA kernel, for every op that has one; the named one where there are more."""
    names = {}
    for op, kernel in KNOWN:
        if op.name not in names or kernel.algorithm == algorithm:
            names[op.name] = kernel.name
    return names


def lenet_step(where):
    """The loss of a training step on two digits, and the values after it."""
    net = gcv.models.create("lenet5").to(where)
    step = gcv.TrainStep(net, gcv.CrossEntropyLoss(), gcv.SGD(net.parameters(), 0.05))
    images, labels = next(iter(loader(net, gcv.data.mnist("train"), 2, shuffle=True)))
    loss = float(step(images, labels))
    return loss, {name: to_numpy(a) for name, a in net.state_dict().items()}


@pytest.mark.parametrize("algorithm", ["direct", pytest.param("tiled", marks=pytest.mark.slow)])
def test_lenet_trains_as_on_the_cpu(algorithm):
    loss, values = lenet_step("cpu")
    used = plan(algorithm)
    assert {"conv2d", "conv2d_input", "conv2d_weight", "max_pool2d", "relu_backward"} <= set(used)
    with gcv.limits(plan=used):
        other, trained = lenet_step("emulated")
    np.testing.assert_allclose(other, loss, rtol=1e-5)
    for name, array in values.items():
        np.testing.assert_allclose(trained[name], array, rtol=1e-3, atol=1e-5, err_msg=name)


NUMBAS_OWN = """
    import os
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"
    import numpy as np
    from gpuconv import battery, device, registry
    from gpuconv.kernels import _numba_cuda

    def launch(kernel, grid, block, args):
        kernel.compiled[grid, block](*args)

    _numba_cuda.launch = launch
    for name in ("conv2d", "conv2d_input", "conv2d_weight", "max_pool2d", "avg_pool2d", "relu"):
        op = registry.get_op(name)
        for kernel in (k for k in op.kernels() if k.backend == "numba_cuda"):
            battery.check(op, kernel, next(iter(op.cases())), device.CPU)
            print(name, kernel.algorithm)
"""


@pytest.mark.slow
def test_numbas_own_simulator_gives_the_same():
    """Another opinion on what a kernel means, and on how device functions are bound to Numba."""
    code = inspect.cleandoc(NUMBAS_OWN)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8
