"""Every layer on the emulated GPU gives what the CPU gives, forwards, backwards and in training."""

import numpy as np
import pytest
from gradcheck import gradients, random_dy, tuple_of
from layer_table import RNG, TABLE

import gpuconv as gcv
from gpuconv import layers, registry
from gpuconv.device import EMULATED, to_device, to_numpy
from gpuconv.ops import _call

pytestmark = pytest.mark.emulated
ROWS = [
    pytest.param(row, id=f"{cls.__name__}{number}")
    for cls, rows in TABLE.items()
    for number, row in enumerate(rows)
]
MODES = {"eval": {}, "train": {"train": True, "rng": RNG}}
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}  # of the largest value


@pytest.fixture
def called(monkeypatch):
    """The ops that were called."""
    names = set()

    def choose(op, *args):
        names.add(op.name)
        return registry.choose(op, *args)

    monkeypatch.setattr(_call, "choose", choose)
    return names


def without_cuda(names):
    """The ops among these that no CUDA kernel computes; the registry says so."""
    known = registry.ops()
    served = {n for n in names if any(k.backend == "cuda" for k in known[n].kernels())}
    return sorted(names - served)


def emulated(row, dtype, dy, mode):
    """y, dxs, gradients and buffers of the layer on the emulated GPU, as NumPy arrays."""
    layer = row.make(dtype).to(EMULATED)
    xs = [to_device(x, EMULATED) for x in row.feed(dtype)]
    there = tuple(to_device(d, EMULATED) for d in tuple_of(dy))
    y, _, dxs, grads = gradients(layer, xs, there if isinstance(dy, tuple) else there[0], **mode)
    return everything(layer, y, dxs, grads)


def everything(layer, y, dxs, grads):
    """What a pass left, by name."""
    found = {f"y{i}": v for i, v in enumerate(tuple_of(y))}
    found |= {f"dx{i}": v for i, v in enumerate(dxs)} | grads
    found |= {name: buffer.value for name, buffer in layer.named_buffers()}
    return {name: None if v is None else to_numpy(v) for name, v in found.items()}


def close(name, got, want, tolerance):
    if want is None:
        assert got is None, name
        return
    assert (got.shape, got.dtype) == (want.shape, want.dtype), name
    bound = tolerance * np.abs(want).max(initial=0)
    error = np.abs(got.astype(np.float64) - want).max(initial=0)
    assert error <= bound, f"{name}: off by {error:.3g}, allowed {bound:.3g}"


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_layer_is_what_it_is_on_the_cpu(row, mode, dtype, called):
    layer, xs = row.make(dtype), row.feed(dtype)
    dy = random_dy(layer.forward(*xs, update=False, **MODES[mode])[0])
    y, _, dxs, grads = gradients(layer, xs, dy, **MODES[mode])
    missing = without_cuda(called)
    if missing:
        pytest.skip(f"no CUDA kernel yet: {', '.join(missing)}")
    want = everything(layer, y, dxs, grads)
    got = emulated(row, dtype, dy, MODES[mode])
    assert set(got) == set(want)
    for name, value in want.items():
        close(name, got[name], value, TOLERANCE[dtype])


def trained(activation, optimizer, where, target=None, loss=None, steps=3):
    """The losses of some steps of a small net and its values after them."""
    net = gcv.Sequential(
        layers.Conv2d(1, 4, 3, padding=1),
        activation(),
        layers.MaxPool2d(2),
        layers.Flatten(),
        layers.Linear(36, 5),
    )
    net = net.initialize(4).to(where)
    step = gcv.TrainStep(net, loss or gcv.CrossEntropyLoss(), optimizer(net.parameters()))
    images = gcv.random.Stream(6).normal((4, 1, 6, 6)).astype("float32")
    labels = np.array([0, 3, 1, 4]) if target is None else target
    losses = [float(to_numpy(step(images, labels))) for _ in range(steps)]
    return losses, {name: to_numpy(a) for name, a in net.state_dict().items()}


def same_training(*args, **options):
    (here, values), (there, others) = (
        trained(*args, where, **options) for where in ("cpu", "emulated")
    )
    assert len(set(here)) == len(here)
    np.testing.assert_allclose(there, here, rtol=1e-5)
    for name, value in values.items():
        np.testing.assert_allclose(others[name], value, rtol=1e-3, atol=1e-5, err_msg=name)


def sgd(parameters):
    return gcv.SGD(parameters, 0.1, momentum=0.9)


ACTIVATIONS = (
    *(layers.ReLU, layers.LeakyReLU, layers.ELU, layers.PReLU, layers.RReLU),
    *(layers.SELU, layers.ReLU6, layers.Sigmoid, layers.Tanh),
)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_net_with_each_activation_trains_as_on_the_cpu(activation):
    same_training(activation, sgd)


@pytest.mark.parametrize(
    "options",
    [
        {"weight_decay": 0.1},
        {"weight_decay": 0.1, "decoupled": True, "betas": (0.8, 0.99)},
        {"clip_norm": 0.05},
        {"clip_value": 0.01, "clip_norm": 0.02},
    ],
    ids=str,
)
def test_adam_and_clipping_train_as_on_the_cpu(options):
    same_training(layers.Tanh, lambda parameters: gcv.Adam(parameters, 0.01, **options))


@pytest.mark.parametrize("loss", [layers.MSELoss, layers.BCEWithLogitsLoss])
def test_a_net_with_each_regression_loss_trains_as_on_the_cpu(loss):
    target = gcv.random.Stream(7).uniform((4, 5)).astype("float32")
    same_training(layers.ELU, sgd, target=target, loss=loss())
