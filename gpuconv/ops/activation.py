"""Activation functions and their gradients, as functions of arrays of any shape."""

from typing import Any

import numpy as np

from ..errors import OptionError, ShapeError
from ..kernels.activation import op as _activation
from ..kernels.elementwise import ElementwiseProblem
from ..kernels.prelu import op as _prelu
from ..kernels.relu import op as _relu
from ..kernels.rrelu import op as _rrelu
from ..random import Stream
from ..shapes import real
from ._call import call, float_array, numerics
from ._scalars import place


def _problem(
    op: str,
    name: str,
    array: np.ndarray,
    kind: type[ElementwiseProblem] = ElementwiseProblem,
    **options: Any,
) -> ElementwiseProblem:
    numeric = numerics(float_array(op, name, array))
    return kind(array.shape, **options, **numeric)


def relu(x: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """max(x, 0), as torch.nn.functional.relu; NaN stays NaN.

    Shapes: x any, result the same. Raises DtypeError, DeviceError or KernelError.
    """
    return call(_relu.relu, _problem("relu", "x", x), x, algorithm=algorithm)


def relu_backward(dy: np.ndarray, y: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """Gradient of relu from its result ``y`` (or its input): dy where not (y <= 0), else 0.

    So relu'(0) = 0, and a NaN hands dy on, as in PyTorch's threshold_backward. Shapes: dy, y and
    result the same. Raises ShapeError besides what ``relu`` raises.
    """
    problem = _problem("relu_backward", "y", y)
    return call(_relu.relu_backward, problem, dy, y, algorithm=algorithm)


def _leaky(op: str, x: np.ndarray, negative_slope: float) -> ElementwiseProblem:
    slope = real(negative_slope, f"{op}: negative_slope")
    return _problem(op, "x", x, _activation.LeakyReluProblem, negative_slope=slope)


def leaky_relu(
    x: np.ndarray, negative_slope: float = 0.01, *, algorithm: str | None = None
) -> np.ndarray:
    """x where x > 0, else negative_slope * x, as torch.nn.functional.leaky_relu.

    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013),
    equation 2. Shapes: x any, result the same. Raises OptionError, DtypeError or DeviceError.
    """
    problem = _leaky("leaky_relu", x, negative_slope)
    return call(_activation.leaky_relu, problem, x, algorithm=algorithm)


def leaky_relu_backward(
    dy: np.ndarray, x: np.ndarray, negative_slope: float = 0.01, *, algorithm: str | None = None
) -> np.ndarray:
    """Gradient of leaky_relu from its input: negative_slope * dy where x <= 0, else dy.

    Shapes: dy, x and result the same, else ShapeError. Raises what ``leaky_relu`` raises.
    """
    problem = _leaky("leaky_relu_backward", x, negative_slope)
    return call(_activation.leaky_relu_backward, problem, dy, x, algorithm=algorithm)


def _elu(op: str, x: np.ndarray, alpha: float, scale: float) -> ElementwiseProblem:
    options = {"alpha": real(alpha, f"{op}: alpha"), "scale": real(scale, f"{op}: scale")}
    return _problem(op, "x", x, _activation.EluProblem, **options)


def elu(
    x: np.ndarray, alpha: float = 1.0, scale: float = 1.0, *, algorithm: str | None = None
) -> np.ndarray:
    """scale * x where x > 0, else scale * alpha * (e^x - 1), as torch.nn.functional.elu.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units" (2016), equation 15; SELU is this with the ``alpha`` and ``scale`` of
    ``gpuconv.layers.SELU``. Shapes: x any, result the same. Raises OptionError, DtypeError or
    DeviceError.
    """
    return call(_activation.elu, _elu("elu", x, alpha, scale), x, algorithm=algorithm)


def elu_backward(
    dy: np.ndarray,
    x: np.ndarray,
    alpha: float = 1.0,
    scale: float = 1.0,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of elu from its input: scale * alpha * e^x * dy where x <= 0, else scale * dy.

    Shapes: dy, x and result the same, else ShapeError. Raises what ``elu`` raises.
    """
    problem = _elu("elu_backward", x, alpha, scale)
    return call(_activation.elu_backward, problem, dy, x, algorithm=algorithm)


def sigmoid(x: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """1 / (1 + e^-x), without overflow, as torch.sigmoid.

    Shapes: x any, result the same. Raises DtypeError, DeviceError or KernelError.
    """
    return call(_activation.sigmoid, _problem("sigmoid", "x", x), x, algorithm=algorithm)


def sigmoid_backward(dy: np.ndarray, y: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """Gradient of sigmoid from its result: y * (1 - y) * dy.

    Shapes: dy, y and result the same, else ShapeError. Raises what ``sigmoid`` raises.
    """
    problem = _problem("sigmoid_backward", "y", y)
    return call(_activation.sigmoid_backward, problem, dy, y, algorithm=algorithm)


def _tanh(op: str, name: str, array: np.ndarray, scale: float, slope: float) -> ElementwiseProblem:
    for what, value in (("scale", scale), ("slope", slope)):
        if real(value, f"{op}: {what}") <= 0:
            raise OptionError(f"{op}: {what} must be above 0, got {value!r}")
    kind = _activation.TanhProblem
    return _problem(op, name, array, kind, scale=float(scale), slope=float(slope))


def tanh(
    x: np.ndarray, scale: float = 1.0, slope: float = 1.0, *, algorithm: str | None = None
) -> np.ndarray:
    """scale * tanh(slope * x); LeNet-5 has scale 1.7159 and slope 2/3.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
    (1998), appendix A. Shapes: x any, result the same. Raises OptionError for a scale or slope that
    is not above 0, DtypeError or DeviceError.
    """
    problem = _tanh("tanh", "x", x, scale, slope)
    return call(_activation.tanh, problem, x, algorithm=algorithm)


def tanh_backward(
    dy: np.ndarray,
    y: np.ndarray,
    scale: float = 1.0,
    slope: float = 1.0,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of tanh from its result: scale * slope * (1 - (y / scale)^2) * dy.

    Shapes: dy, y and result the same, else ShapeError. Raises what ``tanh`` raises.
    """
    problem = _tanh("tanh_backward", "y", y, scale, slope)
    return call(_activation.tanh_backward, problem, dy, y, algorithm=algorithm)


def _prelu_problem(op: str, x: np.ndarray, weight: np.ndarray) -> _prelu.PreluProblem:
    numeric = numerics(float_array(op, "x", x))
    float_array(op, "weight", weight, 1)
    channels = x.shape[1] if x.ndim > 1 else 1
    if x.ndim == 0 or weight.size not in (1, channels):
        raise ShapeError(
            f"{op}: weight has shape {weight.shape} but x {x.shape}; expected one weight (1,) for "
            "an x of at least one dimension, or one for each channel of axis 1"
        )
    return _prelu.PreluProblem(x.shape, weight.size, **numeric)


def prelu(x: np.ndarray, weight: np.ndarray, *, algorithm: str | None = None) -> np.ndarray:
    """x where x > 0, else weight[c] * x, as torch.nn.functional.prelu.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015), equation 1. Shapes: x (N, C, ...)
    with weight (1,) or (C,), or (N,) with (1,); result as x. Raises ShapeError, DtypeError or
    DeviceError.
    """
    return call(_prelu.prelu, _prelu_problem("prelu", x, weight), x, weight, algorithm=algorithm)


def prelu_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, *, algorithm: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of prelu with respect to x and weight; dweight[c] = sum of dy * min(x, 0).

    Shapes: dy as x, weight (1,) or (C,); results as x and weight. Raises what ``prelu`` raises.
    """
    problem = _prelu_problem("prelu_backward", x, weight)
    return call(_prelu.prelu_backward, problem, dy, x, weight, algorithm=algorithm)


def _rrelu_problem(op: str, x: np.ndarray, lower: float, upper: float) -> ElementwiseProblem:
    low, high = real(lower, f"{op}: lower"), real(upper, f"{op}: upper")
    if low > high:
        raise OptionError(f"{op}: lower={lower!r} is above upper={upper!r}; exchange the two")
    return _problem(op, "x", x, _rrelu.RreluProblem, lower=low, upper=high)


def rrelu(
    x: np.ndarray,
    stream: Stream,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """x where x > 0, else a * x, with a drawn from U(lower, upper) for every element.

    As torch.nn.functional.rrelu in training; in evaluation use ``leaky_relu`` with the mean of the
    two. Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations in convolutional
    network" (2015), section 2.4. The slopes are the same bits on every backend and in both dtypes.
    Shapes: x any, result the same. Raises OptionError, DtypeError or DeviceError.
    """
    problem = _rrelu_problem("rrelu", x, lower, upper)
    return call(_rrelu.rrelu, problem, x, *place("rrelu", stream, x), algorithm=algorithm)


def rrelu_backward(
    dy: np.ndarray,
    x: np.ndarray,
    stream: Stream,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    *,
    algorithm: str | None = None,
) -> np.ndarray:
    """Gradient of rrelu from its input: a * dy where x <= 0, else dy; ``stream`` as in rrelu.

    Shapes: dy, x and result the same, else ShapeError. Raises what ``rrelu`` raises.
    """
    problem = _rrelu_problem("rrelu_backward", x, lower, upper)
    where = place("rrelu_backward", stream, x)
    return call(_rrelu.rrelu_backward, problem, dy, x, *where, algorithm=algorithm)
