"""Fully connected layer."""

from typing import Any

from .. import ops
from ..errors import ShapeError
from ..random import Stream
from ..shapes import Shape, integer
from .base import Layer, NeedDx, kept, needed, require_saved
from .init import Constant, Init, Kaiming
from .parameter import Parameter


class Linear(Layer):
    """y = x @ weight.T + bias, as torch.nn.Linear.

    Shapes: x (N, I), weight (O, I), bias (O,), y (N, O). Raises OptionError on bad sizes.
    """

    records = ("train", "inference")
    keeps = ("x",)
    head = ("weight", "bias")
    epilogues = ("relu",)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        algorithm: str | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        i = integer(in_features, "Linear: in_features", 1)
        o = integer(out_features, "Linear: out_features", 1)
        self.algorithm = algorithm
        self.weight = Parameter.lazy((o, i), weight_init or Kaiming())
        self.bias = Parameter.lazy((o,), bias_init or Constant(0.0)) if bias else None

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
        epilogue: str = "",
    ) -> tuple[Any, Any]:
        """y = x @ weight.T + bias, then the epilogue; keeps x."""
        bias = None if self.bias is None else self.bias.value
        y = ops.linear(x, self.weight.value, bias, epilogue=epilogue, algorithm=self.algorithm)
        return y, (x if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds dy.T @ x and the sum of dy into the gradients; returns dy @ weight."""
        x = require_saved(self, saved)
        dx = needed(need_dx, lambda: ops.linear_input(dy, self.weight.value))
        early = self.weight.early  # may change the weight, which dx needs as it was
        if self.weight.trainable and not (early and early(x, dy)):
            place = self.weight.gradient_place()
            self.weight.add_grad(ops.linear_weight(x, dy, out=place))
        if self.bias is not None and self.bias.trainable:
            self.bias.add_grad(ops.channel_sum(dy, out=self.bias.gradient_place()))
        return dx

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, O); raises ShapeError unless x is (N, I)."""
        o, i = self.weight.shape
        if len(shapes[0]) != 2 or shapes[0][1] != i:
            hint = "; put a Flatten before it" if len(shapes[0]) > 2 else ""
            raise ShapeError(f"linear: input has shape {shapes[0]}, expected (N, {i}){hint}")
        return shapes[0][0], o

    def flops(self, *shapes: Shape) -> int:
        """2 N I O."""
        return 2 * shapes[0][0] * self.weight.size
