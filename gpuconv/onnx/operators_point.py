"""Activations, normalisations and products of ONNX as layers (https://onnx.ai/onnx/operators)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..layers import (
    ELU,
    SELU,
    BatchNorm2d,
    Buffer,
    Dropout,
    Hardtanh,
    LeakyReLU,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    PReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from ..layers.base import Layer
from .operators import Call, Constant, Value, operator
from .operators_layers import Along1d

MOST = float(np.finfo(np.float32).max)


def _simple(name: str, make: Callable[[Call], Layer]) -> None:
    operator(name)(lambda call: call.add(make(call)))


_simple("Relu", lambda call: ReLU())
_simple("Sigmoid", lambda call: Sigmoid())
_simple("Tanh", lambda call: Tanh())
_simple("LeakyRelu", lambda call: LeakyReLU(call.get("alpha", "f", 0.01)))
_simple("Elu", lambda call: ELU(call.get("alpha", "f", 1.0)))
_simple(
    "Selu",
    lambda call: SELU(
        call.get("alpha", "f", 1.6732632423543772), call.get("gamma", "f", 1.0507009873554805)
    ),
)
_simple("Clip", lambda call: Hardtanh(call.scalar(1, "min", -MOST), call.scalar(2, "max", MOST)))


@operator("PRelu")
def _prelu(call: Call) -> Value:
    slope = call.weights(1)
    shape, x = slope.array.shape, call.shape()
    per_channel = (*x[1:2], *(1,) * (len(x) - 2))
    fits = [per_channel, (1, *per_channel), x[1:2] if call.opset < 7 else per_channel]
    if slope.array.size != 1 and shape not in fits:
        raise call.fail(f"slope {slope.name} has shape {shape}; expected {per_channel}")
    made = PReLU(slope.array.size)
    call.assign(made, "weight", slope, slope.array.reshape(-1))
    return call.add(made)


@operator("Dropout")
def _dropout(call: Call) -> Value:
    return call.add(Dropout(call.scalar(1, "ratio", 0.5)))


@operator("LRN")
def _lrn(call: Call) -> Value:
    size = call.get("size", "i", 0)
    if size % 2 == 0:
        raise call.fail(f"size is {size}; expected an odd number of channels")
    alpha, beta = call.get("alpha", "f", 1e-4), call.get("beta", "f", 0.75)
    return call.add(LocalResponseNorm(size, alpha, beta, call.get("bias", "f", 1.0)))


@operator("BatchNormalization")
def _batch_norm(call: Call) -> Value:
    weight, bias, mean, var = (call.weights(number, 1) for number in range(1, 5))
    if call.get("training_mode", "i", 0) or not call.get("spatial", "i", 1):
        raise call.fail("training_mode and spatial=0 are not supported; export for inference")
    momentum = 1 - call.get("momentum", "f", 0.9)  # ONNX weighs the old statistics
    made = BatchNorm2d(weight.array.size, call.get("epsilon", "f", 1e-5), momentum)
    call.assign(made, "weight", weight)
    call.assign(made, "bias", bias)
    for slot, found in (("running_mean", mean), ("running_var", var)):
        if found.array.shape != weight.array.shape:
            raise call.fail(f"{found.name} has shape {found.array.shape}, unlike the scale")
        buffer = Buffer(np.array(found.array, found.array.dtype.newbyteorder("=")))
        setattr(made, slot, buffer)
        call.named(buffer, found)
    shape = call.value().shape
    return call.add(Along1d(made) if shape is not None and len(shape) == 3 else made)


def _axis_one(call: Call, layer: Layer) -> Value:
    """Softmax along axis 1; before opset 13 it ran along all axes from ``axis`` on."""
    shape = call.shape()
    axis = call.get("axis", "i", -1 if call.opset >= 13 else 1)
    if not -len(shape) <= axis < len(shape):
        raise call.fail(f"axis {axis} is not one of {len(shape)}")
    rest = shape[2:] if call.opset < 13 else ()
    if axis % len(shape) != 1 or any(size > 1 for size in rest):
        raise call.fail(f"runs along axis {axis} of {shape}; supported: the channels only")
    if len(shape) > 4:
        raise call.fail(f"has an input of {len(shape)} dimensions; expected 2 to 4")
    return call.add(Along1d(layer) if len(shape) == 3 else layer)


@operator("Softmax")
def _softmax(call: Call) -> Value:
    return _axis_one(call, Softmax())


@operator("LogSoftmax")
def _log_softmax(call: Call) -> Value:
    return _axis_one(call, LogSoftmax())


def _linear(call: Call, weight: Constant, matrix: Any, bias: Constant | None, factor: Any) -> Value:
    """y = x @ matrix.T + factor * bias."""
    outs, ins = matrix.shape
    if not outs or not ins:
        raise call.fail(f"{weight.name} has shape {weight.array.shape}; expected no empty axis")
    made = Linear(ins, outs, bias=bias is not None)
    call.assign(made, "weight", weight, matrix)
    if bias is not None:
        if bias.array.dtype.kind != "f" or bias.array.size not in (1, outs):
            raise call.fail(f"bias {bias.name} has shape {bias.array.shape}; expected ({outs},)")
        values = np.broadcast_to(bias.array.reshape(-1), (outs,)) * bias.array.dtype.type(factor)
        call.assign(made, "bias", bias, values)
    return call.add(made)


@operator("Gemm")
def _gemm(call: Call) -> Value:
    weight, bias = call.weights(1, 2), call.constant(2)
    if call.get("transA", "i", 0):
        raise call.fail("transA is not supported: the input's rows are the batch")
    alpha, beta = call.get("alpha", "f", 1.0), call.get("beta", "f", 1.0)
    matrix = weight.array if call.get("transB", "i", 0) else weight.array.T
    matrix = matrix if alpha == 1 else matrix * matrix.dtype.type(alpha)
    return _linear(call, weight, matrix, bias, beta)


@operator("MatMul")
def _matmul(call: Call) -> Value:
    weight = call.weights(1, 2)
    return _linear(call, weight, weight.array.T, None, 1.0)
