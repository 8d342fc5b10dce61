"""ONNX forms of normalisation layers."""

from typing import Any

import numpy as np

from .. import layers
from .exporter_forms import Site, form


@form(layers.BatchNorm2d)
def _batch_norm(at: Site) -> str:
    layer = at.layer
    channels = layer.running_mean.shape
    weight = _or_constant(at, layer.weight, np.ones(channels))
    bias = _or_constant(at, layer.bias, np.zeros(channels))
    running = at.places(layer.running_mean, layer.running_var)
    return at.node("BatchNormalization", at.x, weight, bias, *running, epsilon=layer.eps)


def _or_constant(at: Site, place: Any, values: np.ndarray) -> str:
    return at.constant(values) if place is None else at.place(place)


@form(layers.LocalResponseNorm)
def _lrn(at: Site) -> str:
    """LRN; where its window is not ours (an even size is mirrored) or runtimes refuse, in parts."""
    size, alpha, beta, k, alpha_per = at.layer.options
    alpha = alpha * size if alpha_per == "element" else alpha
    if size % 2 and len(at.shape) == 4:
        return at.node("LRN", at.x, size=size, alpha=alpha, beta=beta, bias=float(k))
    summed = _neighbours(at, at.node("Mul", at.x, at.x), alpha / size, k)
    return at.node("Div", at.x, at.node("Pow", summed, at.constant(beta)))


def _neighbours(at: Site, squares: str, factor: float, k: float) -> str:
    """k + factor * the sum over the window of channels: a 1 x 1 convolution."""
    channels, size = at.shape[1], at.layer.options[0]
    band = np.zeros((channels, channels))
    for c in range(channels):
        band[c, max(0, c - size // 2) : c + (size - 1) // 2 + 1] = factor
    filters = at.constant(band.reshape(*band.shape, *[1] * (len(at.shape) - 2)))
    return at.node("Conv", squares, filters, at.constant(np.full(channels, k)))
