"""Arrays of other libraries: their memory is shared, or an error says why not."""

import numpy as np
import pytest
from fake_cupy import ndarray as fake_ndarray
from fake_cupy import pretend_cuda
from test_ops_hostile import spoiled

import gpuconv as gcv
from gpuconv import registry
from gpuconv.emulator.array import EmulatedArray
from gpuconv.errors import DeviceError
from gpuconv.layers import Linear


class Foreign:
    """A tensor of another library over NumPy's memory: DLPack, and nothing else."""

    requires_grad = False

    def __init__(self, array, device=1):
        self.array, self.device = array, device

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device, 0


class Interface:
    """Memory of a GPU as Numba and others show it."""

    def __init__(self, array):
        self.__cuda_array_interface__ = {"version": 3, "array": array}


def numbers():
    return np.arange(6, dtype=np.float32).reshape(2, 3)


def test_memory_is_shared_not_copied():
    array = numbers()
    taken = gcv.asarray(Foreign(array))
    assert type(taken) is np.ndarray
    assert np.shares_memory(taken, array)
    np.testing.assert_array_equal(taken, array)


def test_strides_are_kept():
    array = np.arange(12, dtype=np.float64).reshape(3, 4).T[::2]
    taken = gcv.asarray(Foreign(array))
    assert taken.strides == array.strides
    np.testing.assert_array_equal(taken, array)


def test_our_own_arrays_are_returned_as_they_are():
    array = numbers()
    assert gcv.asarray(array) is array
    emulated = array.view(EmulatedArray)
    assert gcv.asarray(emulated) is emulated


def test_a_memory_map_is_a_view_of_the_file(tmp_path):
    mapped = np.memmap(tmp_path / "m", np.float32, "w+", shape=(2, 3))
    taken = gcv.asarray(mapped)
    assert type(taken) is np.ndarray
    assert np.shares_memory(taken, mapped)


def test_layers_graphs_and_steps_take_them():
    net, array = gcv.Sequential(Linear(3, 2)), numbers()
    want = net(array)
    for run in (net, net[0], gcv.InferenceStep(net)):
        found = run(Foreign(array))
        np.testing.assert_array_equal(found, want)
        np.testing.assert_array_equal(np.from_dlpack(found), want)
    step = gcv.TrainStep(net, gcv.CrossEntropyLoss(), gcv.SGD(net.parameters(), 0.1))
    other = gcv.Sequential(Linear(3, 2))
    plain = gcv.TrainStep(other, gcv.CrossEntropyLoss(), gcv.SGD(other.parameters(), 0.1))
    labels = np.array([0, 1])
    assert step(Foreign(array), Foreign(labels)) == plain(array, labels)


@pytest.mark.parametrize("op", registry.ops().values(), ids=registry.ops())
def test_every_op_names_the_way_in_for_each_of_its_arrays(op):
    """An op's arrays say the device by their type: it shares nothing by itself."""
    for name, attempt in spoiled(op, Foreign, (*op.ins, *op.updates)):
        text = rf"{op.name}: {name.rstrip('?')} is a test_interop.Foreign; .*gpuconv.asarray"
        with pytest.raises(DeviceError, match=text):
            attempt()


def test_functions_and_layers_backward_name_the_way_in():
    tensor, layer = Foreign(numbers()), Linear(3, 2)
    _, saved = layer.forward(numbers(), train=True)
    for attempt in (
        lambda: gcv.ops.relu(tensor),
        lambda: gcv.ops.concat([numbers(), tensor]),
        lambda: layer.forward(tensor),
        lambda: layer.backward(tensor, saved),
        lambda: layer.load_state_dict({"weight": tensor}, strict=False),
    ):
        with pytest.raises(DeviceError, match=r"is a test_interop.Foreign; .*gpuconv.asarray"):
            attempt()


@pytest.mark.parametrize(
    "given", [[[1.0]], None, Foreign(np.ones((1, 1))), np.ma.masked_array(np.ones((1, 1)))]
)
def test_a_value_is_an_array_of_a_device(given):
    layer = Linear(1, 1)
    with pytest.raises(DeviceError, match=r"Parameter: value is a .*gpuconv.asarray"):
        layer.weight.value = given


def test_an_input_that_wants_a_gradient_is_told_to_detach():
    tensor = Foreign(numbers())
    tensor.requires_grad = True
    for take in (gcv.asarray, Linear(3, 2), lambda x: gcv.to_device(x, "cpu")):
        with pytest.raises(DeviceError, match=r"requires a gradient.*\.detach\(\)"):
            take(tensor)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([1.0], "array is a builtins.list; expected"),
        (np.ma.masked_array([1.0], [True]), "MaskedArray; expected"),
        (Foreign(numbers(), device=8), "DLPack's device 8, expected the CPU or a CUDA GPU"),
        (Foreign(np.zeros(2, ">f4")), "cannot be shared .*copy it into a numpy.ndarray"),
        (Foreign(numbers(), device=2), "device 'cuda' is not available"),
        (Interface(numbers()), "device 'cuda' is not available"),
    ],
)
def test_what_cannot_be_shared_is_refused(given, text):
    with pytest.raises(DeviceError, match=text):
        gcv.asarray(given)


def test_memory_of_a_gpu_becomes_cupys(monkeypatch, tmp_path):
    pretend_cuda(monkeypatch, tmp_path)
    import cupy

    made, array = [], numbers()

    def shared(source):
        made.append(source)
        return fake_ndarray(array)

    monkeypatch.setattr(cupy, "from_dlpack", shared, raising=False)
    monkeypatch.setattr(cupy, "asarray", shared)
    for kind in (Foreign(array, 2), Foreign(array, 13), Interface(array)):
        assert gcv.asarray(kind)._host is array
        assert made.pop() is kind
    ours = fake_ndarray(array)
    assert gcv.asarray(ours) is ours
