"""Activation layers: one input, one output of the same shape."""

from typing import Any

from .. import ops
from ..errors import OptionError
from ..random import Stream
from ..shapes import Shape, integer, real
from .base import Layer, NeedDx, kept, needed, require_saved, wanted
from .init import Constant
from .parameter import Parameter


class Unary(Layer):
    """A layer without parameters: ``apply(x)``, and ``gradient(dy, x or y)`` as ``keeps`` says."""

    keeps = ("y",)

    def apply(self, x: Any) -> Any:
        """y."""
        raise NotImplementedError(f"{type(self).__name__} has no apply")

    def gradient(self, dy: Any, saved: Any) -> Any:
        """dx."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y, and x or y if kept."""
        y = self.apply(x)
        saved = y if self.keeps == ("y",) else x
        return y, (saved if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx."""
        saved = require_saved(self, saved)
        return needed(need_dx, lambda: self.gradient(dy, saved))

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return tuple(shapes[0])


class ReLU(Unary):
    """max(x, 0). Keeps y, not x: y > 0 says the same, and the next layer holds y anyway."""

    records = ("train", "inference")
    formats = "any"
    epilogue = "relu"

    def apply(self, x: Any) -> Any:
        """max(x, 0)."""
        return ops.relu(x)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """dy where y > 0."""
        return ops.relu_backward(dy, saved)


class LeakyReLU(Unary):
    """x where x > 0, else negative_slope * x (Maas, Hannun and Ng 2013)."""

    records = ("train", "inference")
    formats = "any"
    keeps = ("x",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = real(negative_slope, "LeakyReLU: negative_slope")

    def apply(self, x: Any) -> Any:
        """x or negative_slope * x."""
        return ops.leaky_relu(x, self.negative_slope)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """dy or negative_slope * dy."""
        return ops.leaky_relu_backward(dy, saved, self.negative_slope)


class Hardtanh(Unary):
    """min(max(x, min_val), max_val); no gradient at a bound or beyond. Keeps y, as ReLU does."""

    records = ("train", "inference")
    formats = "any"

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        name = type(self).__name__
        self.min_val = real(min_val, f"{name}: min_val")
        self.max_val = real(max_val, f"{name}: max_val")
        if self.min_val > self.max_val:
            raise OptionError(
                f"{name}: min_val={min_val!r} is above max_val={max_val!r}; exchange them"
            )

    def apply(self, x: Any) -> Any:
        """min(max(x, min_val), max_val)."""
        return ops.hardtanh(x, self.min_val, self.max_val)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """dy where min_val < y < max_val."""
        return ops.hardtanh_backward(dy, saved, self.min_val, self.max_val)


class ReLU6(Hardtanh):
    """min(max(x, 0), 6) (Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010)."""

    def __init__(self) -> None:
        super().__init__(0.0, 6.0)


class ELU(Unary):
    """scale * x where x > 0, else scale * alpha (exp(x) - 1) (Clevert et al. 2016)."""

    records = ("train", "inference")
    formats = "any"
    keeps = ("x",)

    def __init__(self, alpha: float = 1.0, scale: float = 1.0) -> None:
        name = type(self).__name__
        self.alpha, self.scale = real(alpha, f"{name}: alpha"), real(scale, f"{name}: scale")

    def apply(self, x: Any) -> Any:
        """scale * x or scale * alpha (exp(x) - 1)."""
        return ops.elu(x, self.alpha, self.scale)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """scale * dy or scale * alpha exp(x) dy."""
        return ops.elu_backward(dy, saved, self.alpha, self.scale)


class SELU(ELU):
    """An ELU whose alpha and scale keep mean 0 and variance 1 from layer to layer.

    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks" (2017),
    equations 2 and 14.
    """

    def __init__(
        self, alpha: float = 1.6732632423543772, scale: float = 1.0507009873554805
    ) -> None:
        super().__init__(alpha, scale)


class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    records = ("train", "inference")

    def apply(self, x: Any) -> Any:
        """1 / (1 + exp(-x))."""
        return ops.sigmoid(x)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """dy y (1 - y)."""
        return ops.sigmoid_backward(dy, saved)


class Tanh(Unary):
    """scale * tanh(slope * x); LeNet-5 has 1.7159 and 2/3 (LeCun et al. 1998, appendix A)."""

    records = ("train", "inference")
    formats = "any"

    def __init__(self, scale: float = 1.0, slope: float = 1.0) -> None:
        self.scale, self.slope = scale, slope

    def apply(self, x: Any) -> Any:
        """scale * tanh(slope * x)."""
        return ops.tanh(x, self.scale, self.slope)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """dy slope (scale - y^2 / scale)."""
        return ops.tanh_backward(dy, saved, self.scale, self.slope)


class Softmax(Unary):
    """exp(x) / sum of exp(x) over axis 1."""

    records = ("train", "inference")

    def apply(self, x: Any) -> Any:
        """Probabilities over axis 1."""
        return ops.softmax(x)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """y (dy - sum of y dy)."""
        return ops.softmax_backward(dy, saved)


class LogSoftmax(Unary):
    """x - log of the sum of exp(x) over axis 1."""

    records = ("train", "inference")

    def apply(self, x: Any) -> Any:
        """Log-probabilities over axis 1."""
        return ops.log_softmax(x)

    def gradient(self, dy: Any, saved: Any) -> Any:
        """dy - exp(y) sum of dy."""
        return ops.log_softmax_backward(dy, saved)


class PReLU(Layer):
    """x where x > 0, else weight * x with a learned slope (He et al. 2015, equation 1).

    Shapes: x (N, C, ...), weight (1,) or (C,): ``num_parameters``.
    """

    records = ("train", "inference")
    keeps = ("x",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        count = integer(num_parameters, "PReLU: num_parameters", 1)
        self.weight = Parameter.lazy((count,), Constant(real(init, "PReLU: init")))

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
        y = ops.prelu(x, self.weight.value)
        return y, (x if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds the slope's gradient; returns dx."""
        dx, dweight = ops.prelu_backward(dy, require_saved(self, saved), self.weight.value)
        if self.weight.trainable:
            self.weight.add_grad(dweight)
        return dx if wanted(need_dx) else None

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return tuple(shapes[0])
