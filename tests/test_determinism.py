"""gpuconv verify-determinism: the same bits are found the same, and others at the first layer."""

import numpy as np
import pytest
from command_line import fail, run

import gpuconv as gcv
from gpuconv import layers, registry
from gpuconv.training.fingerprints import Print, batch, fingerprints, first_difference

THREADS = '''"""Kernels of linear whose bits depend on the threads, or on the process."""
import os
from gpuconv.cpu import get_num_threads
from gpuconv.kernels.linear.op import linear


def compute(outs, ins, scale):
    x, w, b = ins
    outs[0][...] = (x.reshape(len(x), -1) @ w.T + b) * scale


@linear.kernel("threaded", backend="numpy", rank=900)
def threaded(outs, ins, problem, work):
    """Other bits on one thread."""
    compute(outs, ins, outs[0].dtype.type(1.001 if get_num_threads() == 1 else 1.0))


@linear.kernel("personal", backend="numpy", rank=900)
def personal(outs, ins, problem, work):
    """Other bits in every process."""
    compute(outs, ins, outs[0].dtype.type(1 + os.getpid() % 1000003 / 1e6))
'''


@pytest.fixture
def linear(monkeypatch):
    """The op, its kernels as they were afterwards."""
    op = registry.get_op("linear")
    op.kernels()
    monkeypatch.setattr(op, "_kernels", list(op._kernels))
    yield op
    registry._CHOSEN.clear()


def lines_of(tmp_path, kernel):
    (tmp_path / "odd.py").write_text(THREADS)
    options = ["--steps", 1, "--batch-size", 2, "--device", "cpu", "--with", tmp_path / "odd.py"]
    result = run("verify-determinism", "lenet5", *options, "--algorithm", f"linear={kernel}")
    return result.exit_code, result.stdout.splitlines()


@pytest.fixture
def two_threads(monkeypatch):
    """However many the tests have: two, where the machine has two cores."""
    monkeypatch.delenv("GPUCONV_NUM_THREADS", raising=False)
    if gcv.cpu.get_num_threads() < 2:
        pytest.skip("needs two cores: with one there is no other number of threads")


def test_a_kernel_that_depends_on_threads_is_found(linear, tmp_path, two_threads):
    code, lines = lines_of(tmp_path, "threaded")
    assert code == 1
    assert lines[-1].endswith("differs from process 1, first in first pass: forward, fc1")
    assert [line for line in lines if "differs" in line] == [lines[-1]]  # the second is the same


@pytest.mark.slow
def test_a_kernel_that_depends_on_the_process_is_found(linear, tmp_path):
    code, lines = lines_of(tmp_path, "personal")
    assert code == 1
    assert any(line.startswith("process 2 differs from process 1, first in") for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "size"), [("lenet5", 16), ("resnet20", 2)])
def test_the_nets_have_the_same_bits_in_every_process(model, size):
    result = run("verify-determinism", model, "--batch-size", size, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "the same bits: " in result.stdout.splitlines()[-1]


def small(drop=0.5):
    net = gcv.Sequential(
        layers.Conv2d(1, 4, 3), layers.BatchNorm2d(4), layers.ReLU(), layers.Flatten(),
        layers.Dropout(drop), layers.Linear(4 * 16, 3),
    )  # fmt: skip
    net.input_shape = 1, 6, 6
    return net.initialize(0)


def prints(net, steps=3, seed=0):
    optimizer = gcv.SGD(net.parameters(), 0.1, momentum=0.9)
    return fingerprints(net, optimizer, steps=steps, batch_size=4, seed=seed)


def test_every_layer_weight_and_step_is_hashed():
    net = small()
    found = prints(net)
    forward = [name for where, name, _ in found if where == "first pass: forward"]
    assert [name for name in forward if name != "2"] == list("01345")  # 2 may be fused
    assert next(name for where, name, _ in found if where == "first pass: backward") == "5"
    names = set(net.state_dict())
    for step in (1, 2, 3):
        assert {n for where, n, _ in found if where == f"weights after step {step}"} == names
    assert ("optimiser", "steps") in {entry[:2] for entry in found}
    assert found == prints(small())
    assert all("forward" not in vars(layer) for layer in net.children().values())


def test_looking_does_not_change_the_training():
    looked, plain = small(), small()
    prints(looked)
    step = gcv.TrainStep(
        plain, layers.CrossEntropyLoss(), gcv.SGD(plain.parameters(), 0.1, momentum=0.9)
    )
    for number in (1, 2, 3):
        step(*batch(plain, 4, 0, number))
    states = looked.state_dict(), plain.state_dict()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_another_seed_differs_in_the_first_layer_and_another_weight_in_its_own():
    assert first_difference(prints(small()), prints(small(), seed=1))[:2] == (
        "first pass: forward",
        "0",
    )
    net = small()
    changed = net[5].weight.value.copy()
    changed[-1, -1] = np.nextafter(changed[-1, -1], np.float32(1))  # one bit of one element
    net[5].weight.value = changed
    apart = first_difference(prints(small()), prints(net))
    assert apart[:2] == ("initial weights", "5.weight")


def test_one_more_print_is_a_difference():
    one = [Print("a", "b", "c")]
    assert first_difference(one, one) is None
    assert first_difference(one, []) == first_difference([], one) == one[0]


def test_what_is_unknown_is_refused_before_anything_runs():
    assert "nothing" in fail("verify-determinism", "nothing")
    line = fail("verify-determinism", "lenet5", "--device", "cpu", "--algorithm", "conv2d=no")
    assert "no such kernel" in line
