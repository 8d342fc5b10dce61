"""Training through the CUDA kernels on the emulated GPU gives what the CPU gives."""

import json

import numpy as np
import pytest
from command_line import fail, run
from devices import on_cpu

import gpuconv as gcv
from gpuconv import device, emulator, registry
from gpuconv.layers import AvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU
from gpuconv.training.evaluate import loader

pytestmark = pytest.mark.emulated


def losses(net, where, steps=3, batch=8, **options):
    """The losses of some steps on the digits, and the net's values after them."""
    net.to(where)
    step = gcv.TrainStep(net, gcv.CrossEntropyLoss(), gcv.SGD(net.parameters(), 0.05, **options))
    batches = iter(loader(net, gcv.data.mnist("train"), batch, shuffle=True))
    found = [float(step(*next(batches))) for _ in range(steps)]
    return found, {name: gcv.to_numpy(a) for name, a in net.state_dict().items()}


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.0, 0.0), (0.9, 5e-4)])
def test_lenet_trains_as_on_the_cpu(momentum, weight_decay):
    options = {"momentum": momentum, "weight_decay": weight_decay}
    cpu, values = losses(gcv.models.create("lenet5"), "cpu", **options)
    emulated, others = losses(gcv.models.create("lenet5"), "emulated", **options)
    np.testing.assert_allclose(emulated, cpu, rtol=1e-5)
    assert cpu[0] != cpu[1]
    for name, array in values.items():
        np.testing.assert_allclose(others[name], array, rtol=1e-3, atol=1e-5, err_msg=name)


def test_the_order_of_threads_changes_no_bit():
    with emulator.options(order="descending"):
        first = losses(gcv.models.create("lenet5"), "emulated", steps=2)
    with emulator.options(mode="check", order="random", seed=5):
        second = losses(gcv.models.create("lenet5"), "emulated", steps=2)
    assert first[0] == second[0]
    for name, array in first[1].items():
        assert array.tobytes() == second[1][name].tobytes(), name


def small_net():
    net = gcv.Sequential(
        Conv2d(1, 4, 5, stride=2, padding=((1, 2), (2, 1))),
        ReLU(),
        Dropout(0.5),
        AvgPool2d(3, 2, padding=1),
        Conv2d(4, 4, 3, padding=1, groups=2),
        MaxPool2d(2),
        Flatten(),
        Linear(36, 10, bias=False),
    )
    net.input_shape, net.mean, net.std = (1, 28, 28), (0.13,), (0.31,)
    return net


def test_masks_groups_and_means_train_as_on_the_cpu():
    assert small_net().output_shape((1, 1, 28, 28)) == (1, 10)
    cpu, _ = losses(small_net(), "cpu", momentum=0.9, nesterov=True)
    emulated, _ = losses(small_net(), "emulated", momentum=0.9, nesterov=True)
    np.testing.assert_allclose(emulated, cpu, rtol=1e-5)


def test_float64_agrees_to_its_own_precision():
    nets = [gcv.models.create("lenet5").astype("float64") for _ in range(2)]
    x = gcv.random.Stream(1).normal((2, 1, 28, 28))
    here = nets[0](x)
    there = nets[1].to("emulated")(device.to_device(x, "emulated"))
    np.testing.assert_allclose(gcv.to_numpy(there), here, rtol=1e-12, atol=1e-12)


def test_a_net_goes_there_and_back():
    net = gcv.models.create("lenet5")
    before = {name: a.copy() for name, a in net.state_dict().items()}
    net.to("emulated")
    assert {str(device.of(a)) for a in net.state_dict().values()} == {"emulated"}
    net.to("cpu")
    for name, array in net.state_dict().items():
        assert type(array) is np.ndarray
        assert array.tobytes() == before[name].tobytes()


def test_an_op_without_a_cuda_kernel_says_so(monkeypatch):
    monkeypatch.setattr(registry.get_op("elu"), "_kernels", on_cpu("elu"))
    x = device.to_device(np.zeros((1, 2, 1, 2, 1), np.float32), "emulated")
    with pytest.raises(gcv.errors.KernelError, match=r"elu: no kernel on emulated; registered: n"):
        gcv.ops.elu(x)


def test_arrays_of_two_devices_are_refused():
    x = device.to_device(np.zeros((1, 1, 4, 4), np.float32), "emulated")
    with pytest.raises(gcv.errors.DeviceError, match="conv2d: weight is on cpu, the other arrays"):
        gcv.ops.conv2d(x, np.zeros((1, 1, 3, 3), np.float32))


def test_training_on_the_command_line(tmp_path):
    quick = ("--max-steps", 3, "--batch-size", 8, "--read-every", 1)
    results = []
    for where in ("cpu", "emulated"):
        done = run("train", "lenet5", "--device", where, *quick, "--out", tmp_path / where)
        assert done.exit_code == 0, done.output
        assert f"device: {where} (as asked)" in done.output
        lines = (tmp_path / where / "metrics.jsonl").read_text().splitlines()
        results.append([json.loads(line)["loss"] for line in lines])
    assert len(results[0]) == 3
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


def test_kernels_by_name_on_the_command_line(tmp_path):
    quick = ("train", "--max-steps", 1, "--batch-size", 4, "--device", "emulated")
    done = run(*quick, "--algorithm", "conv2d=cuda:direct,linear=tiled", "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    for wrong, text in (
        ("conv2d=numpy:im2col", "no such kernel on emulated; it has cuda:"),
        ("conv3d=direct", "no op named 'conv3d'"),
        ("conv2d", "expected op=kernel"),
    ):
        assert text in fail(*quick, "--algorithm", wrong, "--out", tmp_path / "b")
    assert not (tmp_path / "b").exists()
