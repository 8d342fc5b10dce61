"""What every layer must hold: gradients, modes, what is kept, and no state between calls."""

import gradcheck
import numpy as np
import pytest
from gradcheck import gradients, random_dy, tuple_of
from layer_table import RNG, TABLE, exported

from gpuconv import layers
from gpuconv.errors import GpuconvError, OptionError
from gpuconv.layers import Dropout
from gpuconv.layers.loss import Loss

ROWS = [
    pytest.param(row, id=f"{cls.__name__}{number}")
    for cls, rows in TABLE.items()
    for number, row in enumerate(rows)
]
each = pytest.mark.parametrize("row", ROWS)
TRAIN = {"train": True, "rng": RNG}
IMAGE, MATRIX = (2, 3, 5, 4), (3, 4)
modes = pytest.mark.parametrize("mode", [{}, TRAIN], ids=["eval", "train"])


def arrays(saved):
    """Every array in what a layer saved."""
    if isinstance(saved, np.ndarray):
        return [saved]
    return [a for part in saved for a in arrays(part)] if isinstance(saved, tuple | list) else []


def bits(values):
    return [None if v is None else v.tobytes() for v in values]


def test_every_exported_layer_is_in_the_table():
    assert set(TABLE) == exported()


@each
@modes
def test_gradients(row, mode):
    gradcheck.check(row.make(), row.feed(), row.constant, **mode)


@each
@modes
def test_output_shape_is_the_real_shape(row, mode):
    layer, xs = row.make(), row.feed()
    y, _ = layer.forward(*xs, **mode)
    assert layer.output_shape(*[x.shape for x in xs]) == y.shape
    assert layer.flops(*[x.shape for x in xs]) >= 0


@each
def test_nothing_is_kept_unless_asked(row):
    layer, xs = row.make(), row.feed()
    assert layer.forward(*xs)[1] is None
    assert layer.forward(*xs, **TRAIN, keep=False)[1] is None
    assert layer.forward(*xs, **TRAIN)[1] is not None
    assert layer.forward(*xs, keep=True)[1] is not None
    np.testing.assert_array_equal(layer(*xs), layer.forward(*xs)[0])


@each
def test_backward_without_what_forward_saved_is_refused(row):
    layer, xs = row.make(), row.feed()
    with pytest.raises(OptionError, match=f"{type(layer).__name__}.backward: nothing was saved;"):
        layer.backward(layer(*xs), None)


@each
def test_bytes_kept_are_known_beforehand(row):
    layer, xs = row.make("float32"), row.feed("float32")
    y, saved = layer.forward(*xs, **TRAIN)
    kept = {id(a): a.nbytes for a in arrays(saved)}
    named = (*(xs if "x" in layer.keeps else ()), *((y,) if "y" in layer.keeps else ()))
    assert {id(a) for a in named} <= set(kept)
    foreseen = layer.kept_bytes(4, *[x.shape for x in xs])
    assert sum(kept.values()) == foreseen + sum(a.nbytes for a in named)


@each
def test_an_output_shares_memory_with_an_input_only_if_aliases_says_so(row):
    layer, xs = row.make(), row.feed()
    shared = [
        np.shares_memory(layer.forward(*xs, **mode)[0], x) for mode in ({}, TRAIN) for x in xs
    ]
    assert any(shared) == layer.aliases


@each
@modes
def test_need_dx_false_gives_none_and_the_same_parameter_gradients(row, mode):
    layer, xs = row.make(), row.feed()
    _, dy, _, grads = gradients(layer, xs, update=False, **mode)
    _, _, dxs, again = gradients(layer, xs, dy, False, update=False, **mode)
    assert dxs == (None,) * len(xs)
    assert bits(grads.values()) == bits(again.values())


@each
def test_one_input_at_a_time(row):
    layer, xs = row.make(), row.feed()
    _, dy, dxs, _ = gradients(layer, xs, update=False, **TRAIN)
    for number in range(len(xs)):
        need = tuple(i == number for i in range(len(xs)))
        _, _, some, _ = gradients(layer, xs, dy, need, update=False, **TRAIN)
        assert bits(some) == [b if n else None for b, n in zip(bits(dxs), need, strict=True)]


@each
def test_frozen_parameters_get_no_gradient(row):
    layer, xs = row.make(), row.feed()
    _, dy, dxs, grads = gradients(layer, xs, update=False, **TRAIN)
    for frozen in layer.parameters():
        frozen.trainable = False
        _, _, again, after = gradients(layer, xs, dy, update=False, **TRAIN)
        assert bits(again) == bits(dxs)
        for name, parameter in layer.named_parameters():
            assert bits([after[name]]) == bits([None if parameter is frozen else grads[name]])
        frozen.trainable = True


@each
def test_gradients_add_up(row):
    layer, xs = row.make(), row.feed()
    y, saved = layer.forward(*xs, update=False, **TRAIN)
    layer.backward(random_dy(y), saved)
    once = [p.grad for p in layer.parameters()]
    before = bits(once)
    layer.backward(random_dy(y), saved)
    for parameter, single in zip(layer.parameters(), once, strict=True):
        np.testing.assert_array_equal(parameter.grad, 2 * single)
    assert bits(once) == before


@each
@modes
def test_the_same_call_gives_the_same_bits(row, mode):
    layer, xs = row.make(), row.feed()
    first = gradients(layer, xs, update=False, **mode)
    again = gradients(layer, xs, update=False, **mode)
    assert bits([first[0], *first[2]]) == bits([again[0], *again[2]])
    assert bits(first[3].values()) == bits(again[3].values())


def snapshot(layer):
    """Everything a layer holds but gradients: attributes by identity, arrays by their bits."""
    held = {name: id(value) for name, value in vars(layer).items()}
    return held, {name: array.tobytes() for name, array in layer.state_dict().items()}


@each
@modes
def test_no_state_is_left_by_a_call(row, mode):
    layer, xs = row.make(), row.feed()
    before, given = snapshot(layer), bits(xs)
    y, saved = layer.forward(*xs, **mode, keep=True, update=False)
    dy = random_dy(y)
    handed = bits(tuple_of(dy))
    layer.backward(dy, saved)
    assert snapshot(layer) == before
    assert bits(xs) == given
    assert bits(tuple_of(dy)) == handed


@each
@modes
def test_float32_and_float64(row, mode):
    for dtype in ("float32", "float64"):
        layer, xs = row.make(dtype), row.feed(dtype)
        y, _, dxs, grads = gradients(layer, xs, **mode)
        assert y.dtype == dtype
        assert {d.dtype for d in (*dxs, *grads.values()) if d is not None} <= {np.dtype(dtype)}


LOSSES = [p for p in ROWS if isinstance(p.values[0].layer(), Loss)]
BATCHES = [p for p in ROWS if p not in LOSSES]  # the mean of no losses is an error of theirs


@pytest.mark.parametrize("row", BATCHES)
def test_an_empty_batch(row):
    layer, xs = row.make(), row.feed()
    empty = [x[:0] for x in xs]
    draws = TRAIN if layer.draws else {}  # batch statistics of nothing are an error too
    y, _, dxs, grads = gradients(layer, empty, **draws)
    assert y.shape == layer.output_shape(*[x.shape for x in empty])
    assert [dx.shape for dx in dxs] == [x.shape for x in empty]
    assert not any(g.any() for g in grads.values())


@pytest.mark.parametrize("row", LOSSES)
def test_a_loss_is_0d_and_takes_a_number(row):
    loss, xs = row.make(), row.feed()
    y, saved = loss.forward(*xs, train=True)
    assert y.shape == ()
    assert type(y) is np.ndarray
    dprediction, dtarget = loss.backward(1.0, saved)
    assert dtarget is None
    assert dprediction.shape == xs[0].shape
    doubled, _ = loss.backward(np.asarray(2.0), saved)
    np.testing.assert_array_equal(doubled, 2 * dprediction)
    assert loss.backward(1.0, saved, need_dx=False) == (None, None)


DRAWING = [p for p in ROWS if p.values[0].layer().draws]


def test_a_dropout_that_drops_nothing_draws_nothing():
    layer, x = Dropout(0.0), np.ones((2, 3))
    assert layer.draws == 0
    y, saved = layer.forward(x, train=True)
    assert y is layer.backward(x, saved) is x


@pytest.mark.parametrize("row", DRAWING)
def test_a_layer_that_draws_says_how_to_give_it_a_stream(row):
    layer, xs = row.make(), row.feed()
    assert layer.draws == 1
    name = type(layer).__name__
    text = f"^{name}.forward: train=True draws random numbers; pass rng=gpuconv.random.Stream"
    with pytest.raises(OptionError, match=text):
        layer.forward(*xs, train=True)
    ys = [layer.forward(*xs, train=True, rng=r)[0] for r in (RNG, RNG.at(1), RNG.at(2))]
    assert len(set(bits(ys))) == 3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: layers.BatchNorm2d(0), "BatchNorm2d: num_features must be an integer >= 1, got 0"),
        (lambda: layers.BatchNorm2d(2.0), "BatchNorm2d: num_features must be an integer"),
        (lambda: layers.BatchNorm2d(2, eps=0), "BatchNorm2d: eps must be > 0, got 0"),
        (lambda: layers.BatchNorm2d(2, momentum=None), "BatchNorm2d: momentum must be a finite"),
        (lambda: layers.PReLU(-1), "PReLU: num_parameters must be an integer >= 1, got -1"),
        (lambda: layers.Dropout("0.5"), "Dropout: p must be a finite number"),
        (lambda: layers.RReLU(None), "RReLU: lower must be a finite number"),
        (lambda: layers.ELU(float("nan")), "ELU: alpha must be a finite number"),
        (lambda: layers.SELU(scale="1"), "SELU: scale must be a finite number"),
        (lambda: layers.Hardtanh(1, 0), "Hardtanh: min_val=1 is above max_val=0; exchange them"),
        (lambda: layers.LeakyReLU("0.1"), "LeakyReLU: negative_slope must be a finite number"),
        (lambda: layers.CrossEntropyLoss(1.0), r"label_smoothing must be in \[0, 1\), got 1.0"),
        (lambda: layers.PadChannels(0, -1), "PadChannels: before and after must be an integer >="),
        (lambda: layers.Linear(2, 2).astype("half a float"), "astype: got 'half a float'"),
        (lambda: layers.Linear(2, 2).astype(None), "astype: got None; expected float32"),
    ],
)
def test_bad_options_are_refused_when_a_layer_is_made(make, text):
    with pytest.raises(OptionError, match=text):
        make()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.AdaptiveAvgPool2d(0), IMAGE),
        (layers.AdaptiveAvgPool2d(-3), IMAGE),
        (layers.AdaptiveAvgPool2d(1), MATRIX),
        (layers.Concat(4), IMAGE),
        (layers.Concat(1.0), IMAGE),
        (layers.PadChannels(0, 1), MATRIX),
        (layers.ZeroPad2d(1), MATRIX),
    ],
)
def test_what_forward_refuses_has_no_output_shape_either(layer, shape):
    with pytest.raises(GpuconvError) as forward:
        layer(np.ones(shape, "float32"))
    with pytest.raises(type(forward.value)):
        layer.output_shape(shape)
