"""Recordings of single layers: every one that says of itself that it can be recorded."""

import numpy as np
import pytest

from gpuconv.cpu.recording import Recording
from gpuconv.layers.base import records
from gpuconv.random import Stream
from tests.layer_table import TABLE

ROWS = [
    pytest.param(row, mode, id=f"{kind.__name__}-{number}-{mode}")
    for kind, rows in TABLE.items()
    for number, row in enumerate(rows)
    for mode in ("train", "inference")
    if records(row.layer(), mode)
]


@pytest.mark.parametrize(("row", "mode"), ROWS)
def test_every_layer_that_says_so_can_be_recorded(row, mode):
    """On other inputs, and at another step, a recording gives what the layer gives."""
    train, layer, recording = mode == "train", row.make("float32"), Recording()
    first, other = row.feed("float32"), [x[..., ::-1].copy() for x in row.feed("float32")]
    options = {"train": train, "keep": True}
    buffers = [x.copy() for x in first]
    for _ in range(2):  # what is made at first use is not recorded
        layer.zero_grad()
        y, _ = layer.forward(*buffers, **options, rng=Stream(5, 1))
    slopes = np.ones_like(y)
    layer.zero_grad()
    with recording.under_way():
        y, saved = layer.forward(*buffers, **options, rng=Stream(5, 1))
        dx = layer.backward(slopes, saved)
    gradients = [p.grad for p in layer.parameters()]
    for buffer, values in zip(buffers, other, strict=True):
        buffer[...] = values
    slopes[...] = 0.5
    recording.number("step", 4)
    recording.play()
    layer.zero_grad()
    want, saved = layer.forward(*other, **options, rng=Stream(5, 4))
    np.testing.assert_array_equal(y, want)
    expected = layer.backward(np.full_like(want, 0.5), saved)
    pairs = zip(dx, expected, strict=True) if isinstance(dx, tuple) else [(dx, expected)]
    for got, wanted in pairs:
        np.testing.assert_array_equal(got, wanted)
    for gradient, parameter in zip(gradients, layer.parameters(), strict=True):
        np.testing.assert_array_equal(gradient, parameter.grad)
