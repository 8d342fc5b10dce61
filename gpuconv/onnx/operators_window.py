"""Convolution and pooling of ONNX as layers (https://onnx.ai/onnx/operators)."""

from typing import Any

from ..layers import AdaptiveAvgPool2d, AvgPool2d, Conv1d, Conv2d, ConvTranspose2d, MaxPool2d
from ..layers.base import Layer
from ..shapes import Pair
from .operators import Call, Value, operator
from .operators_layers import Along1d

SAME = ("SAME_UPPER", "SAME_LOWER")


def _sizes(call: Call, name: str, rank: int, default: Any) -> tuple[int, ...]:
    found = call.get(name, "ints", default)
    if found is None or len(found) != rank:
        raise call.fail(f"{name} is {found}; expected {rank} integers")
    return found


def _padding(call: Call, window: tuple, stride: tuple, dilation: tuple) -> tuple[Pair, ...]:
    """(before, after) of every axis, from ``pads`` or from ``auto_pad`` and the input's size."""
    rank, auto = len(window), call.text("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = _sizes(call, "pads", 2 * rank, (0,) * 2 * rank)
        return tuple(zip(pads[:rank], pads[rank:], strict=True))
    if auto == "VALID":
        return ((0, 0),) * rank
    if auto not in SAME:
        raise call.fail(f"auto_pad is {auto!r}; expected NOTSET, VALID, {' or '.join(SAME)}")
    found, sizes = [], call.shape()[2:]
    for size, k, s, d in zip(sizes, window, stride, dilation, strict=True):
        total = max(0, (-(-size // s) - 1) * s + (k - 1) * d + 1 - size)
        less = total // 2
        found.append((less, total - less) if auto == "SAME_UPPER" else (total - less, less))
    return tuple(found)


def _rank(call: Call, ndim: int, known: tuple[int, ...] = (1, 2)) -> int:
    if ndim - 2 not in known:
        raise call.fail(f"has {ndim - 2} spatial dimensions; supported: {known}")
    return ndim - 2


def _geometry(call: Call, window: tuple[int, ...]) -> dict[str, Any]:
    rank = len(window)
    if any(size < 1 for size in window):
        raise call.fail(f"kernel_shape is {window}; expected sizes of 1 or more")
    stride, dilation = (_sizes(call, n, rank, (1,) * rank) for n in ("strides", "dilations"))
    if min(*stride, *dilation) < 1:
        raise call.fail(f"strides {stride} and dilations {dilation} must be 1 or more")
    padding = _padding(call, window, stride, dilation)
    return {"stride": stride, "padding": padding, "dilation": dilation}


def _flat(geometry: dict[str, Any]) -> dict[str, Any]:
    """Options of one axis as Conv1d takes them."""
    return {name: values[0] for name, values in geometry.items()}


@operator("Conv")
def _conv(call: Call) -> Value:
    weight, bias = call.weights(1), call.constant(2)
    rank, shape = _rank(call, weight.array.ndim), weight.array.shape
    window, groups = _sizes(call, "kernel_shape", rank, shape[2:]), call.get("group", "i", 1)
    geometry = _geometry(call, window)
    if groups < 1:
        raise call.fail(f"group is {groups}; expected 1 or more")
    sizes = (shape[1] * groups, shape[0])
    made: Conv1d | Conv2d
    if rank == 1:
        made = Conv1d(*sizes, window[0], groups=groups, bias=bias is not None, **_flat(geometry))
    else:
        made = Conv2d(*sizes, window, groups=groups, bias=bias is not None, **geometry)
    call.assign(made, "weight", weight)
    call.assign(made, "bias", bias)
    return call.add(made)


@operator("ConvTranspose")
def _conv_transpose(call: Call) -> Value:
    weight, bias = call.weights(1, 4), call.constant(2)
    (c, k, *window), groups = weight.array.shape, call.get("group", "i", 1)
    if call.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or call.get(
        "output_shape", "ints", ()
    ):
        raise call.fail("output_shape and auto_pad SAME are not supported; give pads")
    more = _sizes(call, "output_padding", 2, (0, 0))
    made = ConvTranspose2d(
        c,
        k * groups,
        _sizes(call, "kernel_shape", 2, tuple(window)),
        output_padding=more,
        groups=groups,
        bias=bias is not None,
        **_geometry(call, tuple(window)),
    )
    call.assign(made, "weight", weight)
    call.assign(made, "bias", bias)
    return call.add(made)


def _pooled(call: Call, kind: Any, **options: Any) -> Value:
    window = call.get("kernel_shape", "ints", ())
    rank = _rank(call, len(window) + 2)
    geometry = _geometry(call, window)
    if kind is AvgPool2d and set(geometry.pop("dilation")) != {1}:
        raise call.fail("dilations of an average pool are not supported")
    if rank == 1:
        window = (1, *window)
        fill = {"stride": 1, "dilation": 1, "padding": (0, 0)}
        geometry = {name: (fill[name], *values) for name, values in geometry.items()}
    is_ceil = bool(call.get("ceil_mode", "i", 0))
    layer: Layer = kind(window, ceil_mode=is_ceil, **geometry, **options)
    return call.add(Along1d(layer) if rank == 1 else layer)


@operator("MaxPool")
def _max_pool(call: Call) -> Value:
    return _pooled(call, MaxPool2d)


@operator("AveragePool")
def _average_pool(call: Call) -> Value:
    return _pooled(call, AvgPool2d, count_include_pad=bool(call.get("count_include_pad", "i", 0)))


@operator("GlobalAveragePool")
def _global_average(call: Call) -> Value:
    shape = call.value().shape
    layer = AdaptiveAvgPool2d(1)
    return call.add(Along1d(layer) if shape is not None and len(shape) == 3 else layer)


@operator("GlobalMaxPool")
def _global_max(call: Call) -> Value:
    sizes = call.shape()[2:]
    if _rank(call, len(sizes) + 2) == 1:
        return call.add(Along1d(MaxPool2d((1, *sizes))))
    return call.add(MaxPool2d(sizes))
