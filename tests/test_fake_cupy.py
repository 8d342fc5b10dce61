"""The path to a GPU, on a CuPy that has no more than the real one and runs on the emulator."""

from itertools import product

import numpy as np
import pytest
from command_line import fail, succeed
from fake_cupy import FakeDevice, FakeModule, pretend_cuda
from fake_gpu import H100

from gpuconv import battery, cuda, device, registry
from gpuconv.benchmarks import measure, workloads
from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings
from gpuconv.benchmarks.gpu_session import machine as session_machine
from gpuconv.benchmarks.gpu_session import speed, steps, training
from gpuconv.benchmarks.gpu_session.items import Session
from gpuconv.errors import DeviceError
from gpuconv.limits import current_limits

pytestmark = pytest.mark.emulated
KNOWN = [
    (op, kernel)
    for op in registry.ops().values()
    for kernel in op.kernels()
    if kernel.backend == "cuda"
]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """One with a GPU."""
    pretend_cuda(monkeypatch, tmp_path)
    return device.get("cuda")


@pytest.mark.parametrize(("op", "kernel"), KNOWN, ids=[f"{o.name}-{k.algorithm}" for o, k in KNOWN])
def test_a_launcher_asks_no_more_of_an_array_than_cupy_has(machine, op, kernel):
    taken = (
        case
        for case in product(battery.cases(op), battery.variants(op))
        if kernel.objection(case[0], machine, current_limits()) is None
    )
    problem, given = next(taken)
    battery.check(op, kernel, problem, machine, optional=given)


def test_training_steps_give_the_losses_of_the_cpu(machine, tmp_path):
    found = training.losses(Session(machine, tmp_path, "gpu"), "lenet5", 2)
    assert 0 < found["worst"] <= found["allowed"]


def test_a_session_does_its_items_there(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "FLUSH", 1 << 10)
    monkeypatch.setattr(session_machine, "COPIED", 1 << 10)
    monkeypatch.setattr(session_machine.cuda, "gpu", lambda: H100)
    monkeypatch.setattr(speed, "workloads", lambda: map(workloads.shrunk, workloads.workloads()))
    here = Session(machine, tmp_path, "gpu")
    assert not here.rehearsal
    every = {(item.step, item.key): item for item in steps.items(here)}
    assert every["environment", "machine"].run()["gpu"]["name"] == H100.name
    assert every["ceilings", "copy"].run() == {"bytes_per_second": 2 * (1 << 10) / 1e-3}
    found = every["against emulated", "linear cuda:tiled"].run()
    assert found["cases"] == found["equal bits"] > 9
    found = every["speed", "alexnet conv2 conv2d_weight cuda:direct_tiled"].run()
    assert (found["seconds"], 0 < found["error"] < 8) == (1e-3, True)


def test_kernels_are_compared_there_and_cpu_peers_are_not_asked(machine, monkeypatch):
    monkeypatch.setattr(measure, "FLUSH", 8)
    monkeypatch.setattr("gpuconv.cli.bench.gpu_ceilings", lambda _: Ceilings(1e12, 1e11))
    options = ["--device", "cuda", "--batch-size", "1", "--seconds", "0", "--rounds", "3"]
    lines = succeed("bench", "relu", "--shapes", "lenet", *options)
    assert any("cuda:vectorised" in line and "chosen" in line for line in lines)
    rivals = {cell.strip() for line in lines for cell in line.split("│")[2:3]}
    assert {name.split(":")[0] for name in rivals} == {"cuda", "numba_cuda", "cudnn"}
    assert any("cudnn" in line and "not installed" in line for line in lines)
    said = fail("bench", "lenet5", "--suite", "nets", "--device", "cuda")
    assert "timed on the CPU only" in said


def test_the_command_line_trains_there(machine, tmp_path):
    options = ["--device", "cuda", "--max-steps", "2", "--batch-size", "4"]
    lines = succeed("train", "lenet5", *options, "--out", str(tmp_path / "run"))
    assert lines[0] == "device: cuda (as asked)"
    assert lines[-1].startswith("test accuracy")


def test_arrays_go_there_and_come_back(machine):
    host = np.arange(6, dtype="float32").reshape(2, 3)
    there = device.to_device(host, "cuda")
    assert device.of(there).kind == "cuda"
    assert device.to_device(there, "cuda") is there
    assert np.array_equal(device.to_numpy(there), host)


@pytest.fixture
def fill(tmp_path):
    """A kernel that sets an array to ones."""
    text = 'extern "C" __global__ void fill(float* y) { y[threadIdx.x] = 1; }'
    (tmp_path / "fill.cu").write_text(text)
    return cuda.Source(tmp_path / "fill.cu").function("fill")


def test_gpus_of_two_architectures_have_a_build_each(monkeypatch, tmp_path, fill):
    pretend_cuda(monkeypatch, tmp_path, capabilities=("90", "80", "90"))
    for number in (0, 1, 0, 2):
        FakeDevice(number).use()
        y = device.empty((3,), "float32", device.get("cuda"))
        fill((1,), (3,), (y,))
        assert device.of(y).arch == ("sm_80" if number == 1 else "sm_90a")
        assert y.get().tolist() == [1, 1, 1]
    assert FakeModule.loaded == [(0, "sm_90a"), (1, "sm_80")]


def test_arrays_of_another_gpu_than_the_current_one_are_refused(monkeypatch, tmp_path, fill):
    pretend_cuda(monkeypatch, tmp_path, capabilities=("75", "80"))
    y = device.empty((3,), "float32", device.get("cuda"))
    FakeDevice(1).use()
    assert device.of(y).arch == "sm_75"
    with pytest.raises(DeviceError, match="fill: its arrays live on GPU 0, but GPU 1 is the curre"):
        fill((1,), (3,), (y,))
