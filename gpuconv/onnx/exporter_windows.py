"""ONNX forms of convolutions, matrix products and pooling."""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from .. import layers
from ..ops.pool import adaptive_problem, avg_problem, max_problem
from ..shapes import Pair, window_extent
from .exporter_forms import Site, form


def _pads(padding: Sequence[Pair]) -> list[int]:
    """(before, after) of every axis in ONNX's order: all before, then all after."""
    return [int(side) for sides in zip(*padding, strict=True) for side in sides]


def _convolution(layer: Any, window: Sequence[int]) -> dict[str, Any]:
    """Attributes; ``window`` says along how many of the last axes, and how far."""
    last = slice(-len(window), None)
    return {
        "kernel_shape": [int(n) for n in window],
        "strides": list(layer.options["stride"][last]),
        "pads": _pads(layer.options["padding"][last]),
        "dilations": list(layer.options["dilation"][last]),
        "group": layer.options["groups"],
    }


@form(layers.Conv1d, layers.Conv2d)
def _conv(at: Site) -> str:
    layer = at.layer
    return at.node(
        "Conv",
        at.x,
        *at.places(layer.weight, layer.bias),
        **_convolution(layer, layer.weight.shape[2:]),
    )


@form(layers.ConvTranspose2d)
def _conv_transpose(at: Site) -> str:
    layer = at.layer
    return at.node(
        "ConvTranspose",
        at.x,
        *at.places(layer.weight, layer.bias),
        output_padding=list(layer.output_padding),
        **_convolution(layer, layer.weight.shape[2:]),
    )


@form(layers.TableConv2d)
def _table_conv(at: Site) -> str:
    """The links' filters, laid into a dense weight of zeros by the file itself."""
    layer = at.layer
    zeros, links = at.constant(np.zeros(layer.dense_shape)), at.constant(layer.links, "int64")
    dense = at.node("ScatterND", zeros, links, at.place(layer.weight))
    return at.node(
        "Conv",
        at.x,
        dense,
        *at.places(layer.bias),
        **_convolution(layer, layer.dense_shape[2:]),
    )


@form(layers.LocallyConnected2d)
def _locally_connected(at: Site) -> str:
    """One matrix product for each position, of all windows side by side.

    A convolution of every channel with each unit filter gives the windows, (N, C R S, P, Q).
    """
    layer, channels = at.layer, at.layer.shape[0]
    taps = int(np.prod(layer.window))
    units = np.tile(np.eye(taps).reshape(taps, 1, *layer.window), (channels, 1, 1, 1))
    pads = [*layer.padding, *layer.padding]
    windows = at.node("Conv", at.x, at.constant(units), pads=pads, group=channels)
    rows = at.node("Transpose", windows, perm=[2, 3, 0, 1])
    columns = at.node("Transpose", at.place(layer.weight), perm=[0, 1, 3, 2])
    p, q, k = layer.bias.shape
    shape = at.constant([p, q, 1, k], "int64")
    bias = at.node("Reshape", at.place(layer.bias), shape)
    y = at.node("Add", at.node("MatMul", rows, columns), bias)
    return at.node("Transpose", y, perm=[2, 3, 0, 1])


@form(layers.Linear)
def _linear(at: Site) -> str:
    return at.node("Gemm", at.x, *at.places(at.layer.weight, at.layer.bias), transB=1)


@form(layers.RBF)
def _rbf(at: Site) -> str:
    return at.node("Gemm", at.x, at.place(at.layer.code), transB=1)


def _grown(problem: Any) -> tuple[Pair, ...]:
    """What the last windows reach beyond the padding, where ceil_mode lets them, at each end.

    Written as padding, it needs no ceil_mode, on whose last window runtimes differ.
    """
    sizes, made = (problem.h, problem.w), problem.spec("y")[0][2:]
    grown = []
    for axis, size in enumerate(sizes):
        extent = window_extent(problem.kernel[axis], problem.dilation[axis])
        reached = (made[axis] - 1) * problem.stride[axis] + extent
        grown.append((0, max(0, reached - size - sum(problem.padding[axis]))))
    return tuple(grown)


def _sum(a: Sequence[Pair], b: Sequence[Pair]) -> tuple[Pair, ...]:
    return tuple((p[0] + q[0], p[1] + q[1]) for p, q in zip(a, b, strict=True))


def _padded(at: Site, padding: Sequence[Pair], value: float) -> str:
    pads = at.constant(_pads([(0, 0), (0, 0), *padding]), "int64")
    return at.node("Pad", at.x, pads, at.constant(value))


def _is_wide(problem: Any, padding: Sequence[Pair]) -> bool:
    """Whether the padding is as wide as the window, which runtimes refuse."""
    return any(max(sides) >= n for sides, n in zip(padding, problem.kernel, strict=True))


@form(layers.MaxPool2d)
def _max_pool(at: Site) -> str:
    problem = max_problem("onnx.save", at.shape, "float32", **at.layer.options)
    x, padding = at.x, _sum(problem.padding, _grown(problem))
    if _is_wide(problem, padding):
        x, padding = _padded(at, padding, -inf), ((0, 0), (0, 0))
    return at.node(
        "MaxPool",
        x,
        kernel_shape=list(problem.kernel),
        strides=list(problem.stride),
        pads=_pads(padding),
        dilations=list(problem.dilation),
    )


@form(layers.AvgPool2d)
def _avg_pool(at: Site) -> str:
    """Padding that counts becomes zeros of the input; what is left does not count."""
    problem = avg_problem("onnx.save", at.shape, "float32", **at.layer.options)
    x, padding = at.x, _grown(problem)
    if not problem.count_include_pad:
        padding = _sum(problem.padding, padding)
    elif np.any(problem.padding):
        x = _padded(at, problem.padding, 0.0)
    return at.node(
        "AveragePool",
        x,
        kernel_shape=list(problem.kernel),
        strides=list(problem.stride),
        pads=_pads(padding),
        count_include_pad=0,
    )


@form(layers.AdaptiveAvgPool2d)
def _adaptive_pool(at: Site) -> str:
    """Global, windows of one size, or else two matrix products: a mean over bins is linear."""
    problem = adaptive_problem("onnx.save", at.shape, "float32", at.layer.output_size)
    (h, w), (p, q) = at.shape[2:], problem.spec("y")[0][2:]
    if (p, q) == (1, 1):
        return at.node("GlobalAveragePool", at.x)
    if h % p == 0 and w % q == 0:
        window = [h // p, w // q]
        return at.node("AveragePool", at.x, kernel_shape=window, strides=window)
    across = at.node("MatMul", at.x, at.constant(_bins(w, q).T))
    return at.node("MatMul", at.constant(_bins(h, p)), across)


def _bins(size: int, count: int) -> np.ndarray:
    """(count, size): row i averages bin i, floor(i size / count) to ceil((i + 1) size / count)."""
    rows = np.zeros((count, size))
    for i in range(count):
        begin, end = i * size // count, -(-(i + 1) * size // count)
        rows[i, begin:end] = 1 / (end - begin)
    return rows
