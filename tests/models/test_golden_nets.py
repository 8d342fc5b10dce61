"""Every net by name gives what PyTorch gave for the same weights and images."""

import json

import golden_nets as golden
import numpy as np
import pytest

from gpuconv import models

FIGURES = json.loads(golden.FILE.read_text())
LARGE = 40_000_000  # parameters whose drawing takes longer than what is computed with them
# A deep net without shortcuts that normalises over two images multiplies a rounding by thousands:
# float64 says whether it is the same function, float32 whether that is computed as it should be.
BOUNDS = {"float32": 1e-3, "float64": 1e-10}


def cases():
    for name in models.models():
        size = sum(p.size for p in models.create(name).parameters())
        for dtype, bound in BOUNDS.items():
            if size < LARGE:
                yield pytest.param(name, dtype, bound)
            elif dtype == "float32":
                yield pytest.param(name, dtype, 1e-4, marks=pytest.mark.slow)


def test_every_net_has_its_figures():
    assert [name for name in FIGURES if name != "made by"] == list(models.models())


@pytest.mark.parametrize(("name", "dtype", "bound"), list(cases()))
def test_outputs_are_those_of_pytorch(name, dtype, bound):
    net, wanted = golden.prepared(name).astype(dtype), FIGURES[name]
    x = golden.images(name).astype(dtype)
    assert list(wanted) == list(golden.modes(net))
    for mode, figures in wanted.items():
        logits, _ = net.forward(x, train=mode == "train", keep=False, update=False)
        assert abs(logits).max() == pytest.approx(figures["size"], rel=bound)
        error = np.abs(logits[:, figures["at"]] - figures["logits"]).max()
        assert error <= bound * figures["size"], mode
