"""Convolution layers."""

from typing import Any

from .. import ops
from ..errors import OptionError
from ..kernels.conv2d import op as declared
from ..ops.conv import conv_problem
from ..random import Stream
from ..shapes import Shape, integer, padding4, pair
from .base import Layer, NeedDx, kept, needed, require_saved
from .init import Constant, Init, Kaiming
from .parameter import Parameter

GRADIENTS = ("conv2d", "conv2d_input", "conv2d_weight")


def algorithms(layer: str, given: str | dict[str, str] | None) -> dict[str, str]:
    """Algorithm by op name; a bare string names the forward op's."""
    chosen = {"conv2d": given} if isinstance(given, str) else dict(given or {})
    unknown = set(chosen) - set(GRADIENTS)
    if unknown:
        raise OptionError(
            f"{layer}: algorithm for unknown op {', '.join(sorted(unknown))}; expected "
            f"{', '.join(GRADIENTS)}"
        )
    return chosen


class Conv2d(Layer):
    """2-d convolution (cross-correlation), as torch.nn.Conv2d.

    Shapes: x (N, C, H, W), weight (K, C/groups, R, S), y (N, K, P, Q). ``padding`` may differ on
    all four sides: ((top, bottom), (left, right)). ``algorithm`` names the forward kernel, or is a
    dict by op ("conv2d", "conv2d_input", "conv2d_weight"); None lets each op choose. Raises
    OptionError on bad sizes.
    """

    records = ("train", "inference")
    formats = "any"
    keeps = ("x",)
    epilogues = ("relu",)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        algorithm: str | dict[str, str] | None = None,
        weight_init: Init | None = None,
        bias_init: Init | None = None,
    ) -> None:
        k = integer(out_channels, "Conv2d: out_channels", 1)
        c = integer(in_channels, "Conv2d: in_channels", 1)
        groups = integer(groups, "Conv2d: groups", 1)
        if c % groups or k % groups:
            raise OptionError(f"Conv2d: groups={groups} must divide {c} input and {k} outputs")
        window = pair(kernel_size, "Conv2d: kernel_size")
        self.options: dict[str, Any] = {
            "stride": pair(stride, "Conv2d: stride"),
            "padding": padding4(padding, "Conv2d: padding"),
            "dilation": pair(dilation, "Conv2d: dilation"),
            "groups": groups,
        }
        self.algorithm = algorithms("Conv2d", algorithm)
        self.weight = Parameter.lazy((k, c // groups, *window), weight_init or Kaiming())
        self.bias = Parameter.lazy((k,), bias_init or Constant(0.0)) if bias else None

    @property
    def head(self) -> tuple[str, ...]:
        """What has a row for each class where a net ends with this layer; nothing with groups."""
        return ("weight", "bias") if self.options["groups"] == 1 else ()

    def _weight(self) -> Any:
        return self.weight.value

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
        """y = x * weight + bias, then the epilogue; keeps x."""
        bias = None if self.bias is None else self.bias.value
        named = self.algorithm.get("conv2d")
        y = ops.conv2d(x, self._weight(), bias, **self.options, epilogue=epilogue, algorithm=named)
        return y, (x if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Adds dy * x and the sum of dy into the gradients; returns dy * weight."""
        x = require_saved(self, saved)
        weight = self._weight()
        if self.weight.trainable:
            named, place = self.algorithm.get("conv2d_weight"), self._gradient_place()
            self._add_weight_grad(
                ops.conv2d_weight(x, dy, weight.shape, **self.options, out=place, algorithm=named)
            )
        if self.bias is not None and self.bias.trainable:
            self.bias.add_grad(ops.channel_sum(dy, out=self.bias.gradient_place()))
        named = self.algorithm.get("conv2d_input")
        return needed(
            need_dx,
            lambda: ops.conv2d_input(dy, weight, x.shape, **self.options, algorithm=named),
        )

    def _gradient_place(self) -> Any:
        return self.weight.gradient_place()

    def _add_weight_grad(self, gradient: Any) -> None:
        self.weight.add_grad(gradient)

    def _shape(self) -> Shape:
        return self.weight.shape

    def _problem(self, shape: Shape) -> declared.Conv2dProblem:
        return conv_problem("conv2d", shape, self._shape(), **self.options)

    def output_shape(self, *shapes: Shape) -> Shape:
        """(N, K, P, Q); raises ShapeError if the window does not fit."""
        return self._problem(shapes[0]).spec("y")[0]

    def flops(self, *shapes: Shape) -> int:
        """2 N K P Q R S C / groups."""
        return declared.conv2d.flops(self._problem(shapes[0]))
