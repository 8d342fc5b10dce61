"""EmulatedArray behaves as a foreign device: it moves and copies, and refuses to compute."""

import pickle

import numpy as np
import pytest

import gpuconv as gcv
from gpuconv import device
from gpuconv.device import EMULATED
from gpuconv.emulator.array import EmulatedArray
from gpuconv.errors import DeviceError


def emulated(values, dtype=np.float32):
    return device.to_device(np.asarray(values, dtype), EMULATED)


def test_it_is_a_copy_on_another_device():
    host = np.arange(3, dtype=np.float32)
    there = device.to_device(host, EMULATED)
    assert type(there) is EmulatedArray
    assert device.of(there) == EMULATED
    host[0] = 9
    assert gcv.to_numpy(there).tolist() == [0, 1, 2]
    back = gcv.to_numpy(there)
    back[0] = 7
    assert type(back) is np.ndarray
    assert gcv.to_numpy(there)[0] == 0
    assert device.to_device(there, EMULATED) is there


def test_views_copies_and_assignment_work():
    a = emulated([[1, 2, 3], [4, 5, 6]])
    assert [type(v) for v in (a[0], a.T, a.reshape(3, 2), a.copy(), a.astype("float64"))] == [
        EmulatedArray
    ] * 5
    a[0, 1:] = emulated([8, 9])
    a[1] = 0
    assert gcv.to_numpy(a).tolist() == [[1, 8, 9], [0, 0, 0]]
    assert np.asarray(a).tolist() == [[1, 8, 9], [0, 0, 0]]
    assert float(emulated(2.5)) == 2.5
    assert repr(emulated([1.0, 2.0])) == "emulated([1., 2.])"
    assert f"{emulated(0.25):.1f}" == "0.2"


@pytest.mark.parametrize(
    "compute",
    [
        lambda a: a + a,
        lambda a: a + 1,
        lambda a: 2 * a,
        lambda a: -a,
        lambda a: a == a,
        lambda a: a @ a.T,
        lambda a: a.sum(),
        lambda a: a.max(),
        lambda a: a.mean(),
        lambda a: a.dot(a.T),
        lambda a: a.argmax(),
        lambda a: a.sort(),
        lambda a: a.fill(0),
        np.exp,
        lambda a: np.concatenate([a, a]),
        np.sum,
        np.zeros_like,
        lambda a: a.__iadd__(a),
    ],
)
def test_computing_is_refused(compute):
    a = emulated([[1, 2], [3, 4]])
    with pytest.raises(DeviceError, match=r"does not run on device emulated; use .*gpuconv\.ops"):
        compute(a)
    assert gcv.to_numpy(a).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("mix", [lambda a, b: a + b, lambda a, b: b + a, lambda a, b: np.add(b, a)])
def test_mixing_devices_is_refused(mix):
    with pytest.raises(DeviceError):
        mix(emulated([1, 2]), np.ones(2, np.float32))


def test_a_cpu_array_cannot_be_assigned():
    a = emulated([1, 2])
    with pytest.raises(DeviceError, match="to_device"):
        a[:] = np.zeros(2, np.float32)
    b = np.zeros(2, np.float32)
    with pytest.raises(DeviceError, match="cross|lives|on"):
        gcv.ops.add(a, b)


def test_what_leaves_is_plain_numpy():
    a = emulated([1, 2])
    assert type(pickle.loads(pickle.dumps(a))) is np.ndarray
    assert type(np.from_dlpack(a)) is np.ndarray


def test_new_memory_is_poisoned():
    fresh = device.empty((3,), "float32", EMULATED)
    assert np.isnan(gcv.to_numpy(fresh)).all()
    assert gcv.to_numpy(device.empty((2,), "int32", EMULATED)).tolist() == [-1, -1]


def test_subclasses_have_no_device():
    class Mine(EmulatedArray):
        pass

    with pytest.raises(DeviceError, match="Mine"):
        device.of(np.zeros(2).view(Mine))


def test_without_a_compiler_the_device_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match=r"device 'emulated' is not available: .*install g\+\+"):
        device.get("emulated")
    assert device.get("cpu") == device.CPU
