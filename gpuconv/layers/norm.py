"""Normalisation layers."""

from typing import Any

import numpy as np

from .. import ops
from ..cpu import host
from ..errors import OptionError, ShapeError
from ..random import Stream
from ..shapes import Shape, integer, real
from .base import Layer, NeedDx, kept, needed, require_saved, wanted
from .init import Constant
from .parameter import Buffer, Parameter


class BatchNorm2d(Layer):
    """Batch normalisation per channel (Ioffe and Szegedy 2015), as torch.nn.BatchNorm2d.

    Shapes: x and y (N, C, H, W) or (N, C); weight, bias, running_mean, running_var (C,). With
    ``frozen = True`` the running statistics are used, and left alone, in training too.
    """

    records = ("train", "inference")
    formats = "any"
    keeps = ("x",)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        *,
        frozen: bool = False,
    ) -> None:
        shape = (integer(num_features, "BatchNorm2d: num_features", 1),)
        if not real(eps, "BatchNorm2d: eps", 0.0):
            raise OptionError("BatchNorm2d: eps must be > 0, got 0")
        real(momentum, "BatchNorm2d: momentum", 0.0, 1.0)
        self.eps, self.momentum, self.frozen = eps, momentum, frozen
        self.weight = Parameter.lazy(shape, Constant(1.0)) if affine else None
        self.bias = Parameter.lazy(shape, Constant(0.0)) if affine else None
        self.running_mean = Buffer(np.zeros(shape, np.float32))
        self.running_var = Buffer(np.ones(shape, np.float32))
        self.num_batches_tracked = Buffer(np.zeros((), np.int64), optional=True, host=True)

    def _affine(self) -> tuple[Any, Any]:
        if self.weight is None or self.bias is None:
            return None, None
        return self.weight.value, self.bias.value

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y; keeps x and the batch's statistics."""
        if not train or self.frozen:
            running = self.running_mean.value, self.running_var.value
            y = ops.batch_norm_inference(x, *self._affine(), *running, eps=self.eps)
            return y, ((x, None, None) if kept(keep, train) else None)
        updates = kept(update, train)
        y, mean, invstd = ops.batch_norm(
            x,
            *self._affine(),
            self.running_mean.value if updates else None,
            self.running_var.value if updates else None,
            momentum=self.momentum,
            eps=self.eps,
        )
        if updates:
            host(self._count)
        return y, ((x, mean, invstd) if kept(keep, train) else None)

    def _count(self) -> None:
        """Note that the running statistics have changed."""
        self.num_batches_tracked.value += 1
        self.running_mean.version += 1
        self.running_var.version += 1

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds the gradients of weight and bias; returns dx."""
        x, mean, invstd = require_saved(self, saved)
        weight = None if self.weight is None else self.weight.value
        if mean is None:
            running = self.running_mean.value, self.running_var.value
            dx, dweight, dbias = ops.batch_norm_inference_backward(
                dy, x, weight, *running, eps=self.eps
            )
        else:
            dx, dweight, dbias = ops.batch_norm_backward(dy, x, weight, mean, invstd)
        for parameter, gradient in ((self.weight, dweight), (self.bias, dbias)):
            if parameter is not None and parameter.trainable:
                parameter.add_grad(gradient)
        return dx if wanted(need_dx) else None

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape; raises ShapeError unless it has ``num_features`` channels."""
        (c,) = self.running_mean.shape
        if len(shapes[0]) not in (2, 4) or shapes[0][1] != c:
            raise ShapeError(f"batch_norm: input has shape {shapes[0]}, expected {c} channels")
        return tuple(shapes[0])

    def kept_bytes(self, itemsize: int, *shapes: Shape) -> int:
        """Mean and inverse standard deviation."""
        return 0 if self.frozen else 2 * itemsize * self.running_mean.size


class LocalResponseNorm(Layer):
    """y = x / (k + alpha / size * sum of x^2 over neighbouring channels)^beta.

    Krizhevsky, Sutskever and Hinton (2012), section 3.3; alpha is divided by ``size`` as in
    PyTorch, Caffe and ONNX, unless ``alpha_per="element"`` (the paper's text). Shapes: x, y
    (N, C, ...).
    """

    records = ("train", "inference")
    formats = "any"
    keeps = ("x",)

    def __init__(
        self,
        size: int,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        alpha_per: str = "size",
    ) -> None:
        self.options = (size, alpha, beta, k, alpha_per)

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y; keeps x."""
        return ops.lrn(x, *self.options), (x if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx."""
        x = require_saved(self, saved)
        return needed(need_dx, lambda: ops.lrn_backward(dy, x, *self.options))

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return tuple(shapes[0])
