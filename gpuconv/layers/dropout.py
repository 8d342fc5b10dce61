"""Layers that draw random numbers in training, the same again in backward."""

from typing import Any

from .. import device as devices
from .. import ops
from ..errors import OptionError, ShapeError
from ..random import Stream
from ..shapes import Shape, real
from .base import Layer, NeedDx, kept, needed, require_saved, wanted


def require_rng(layer: Layer, rng: Stream | None) -> Stream:
    """The stream, or an OptionError that says how to give one."""
    if rng is None:
        raise OptionError(
            f"{type(layer).__name__}.forward: train=True draws random numbers; pass "
            "rng=gpuconv.random.Stream(seed, step)"
        )
    return rng


class RReLU(Layer):
    """Leaky ReLU with slopes from U(lower, upper) in training, their mean in evaluation.

    Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations" (2015), section 2.4.
    """

    records = ("train", "inference")
    keeps = ("x",)

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        if real(lower, "RReLU: lower", 0.0) > real(upper, "RReLU: upper", 0.0):
            raise OptionError(f"RReLU: expected 0 <= lower <= upper, got {lower!r}, {upper!r}")
        self.lower, self.upper = lower, upper

    @property
    def draws(self) -> int:
        """One stream."""
        return 1

    @property
    def _mean(self) -> float:
        return (self.lower + self.upper) / 2

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y; keeps x and the stream: the slopes are drawn again in backward."""
        stream = require_rng(self, rng) if train else None
        if stream is None:
            y = ops.leaky_relu(x, self._mean)
        else:
            y = ops.rrelu(x, stream, self.lower, self.upper)
        return y, ((x, stream) if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx."""
        x, stream = require_saved(self, saved)
        if not wanted(need_dx):
            return None
        if stream is None:
            return ops.leaky_relu_backward(dy, x, self._mean)
        return ops.rrelu_backward(dy, x, stream, self.lower, self.upper)

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return tuple(shapes[0])


class Dropout(Layer):
    """Drops units with probability ``p`` in training and scales the rest by 1 / (1 - p).

    Srivastava et al., "Dropout" (2014), section 10, inverted. Keeps no mask: it is a function of
    (seed, step, stream) and is drawn again in backward.
    """

    records = ("train", "inference")
    aliases = True  # in evaluation

    def __init__(self, p: float = 0.5) -> None:
        self.p = real(p, "Dropout: p", 0.0, 1.0)

    @property
    def draws(self) -> int:
        """One stream, none where nothing is dropped."""
        return int(self.p > 0)

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y, the input itself in evaluation; keeps the stream."""
        stream = require_rng(self, rng) if train and self.p > 0 else None
        y = x if stream is None else ops.dropout(x, self.p, stream)
        return y, ((stream,) if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx: dy through the same mask."""
        (stream,) = require_saved(self, saved)
        if stream is None:
            return dy if wanted(need_dx) else None
        return needed(need_dx, lambda: ops.dropout(dy, self.p, stream))

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape."""
        return tuple(shapes[0])


class Dropout2d(Dropout):
    """Drops whole channels with probability ``p`` in training, as torch.nn.Dropout2d.

    Tompson et al., "Efficient object localization using convolutional networks" (2015),
    section 3.2. Shapes: x (N, C, ...), y the same; each of the N C maps stays or goes as one.
    """

    aliases = True  # in evaluation

    def forward(
        self,
        x: Any,
        *,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """y, the input itself in evaluation; keeps the stream."""
        devices.of(x, "dropout2d", "x")
        shape = self.output_shape(x.shape)
        stream = require_rng(self, rng) if train and self.p > 0 else None
        y = x if stream is None else self._masked(x, stream).reshape(shape)
        return y, ((stream,) if kept(keep, train) else None)

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """dx: dy through the same mask."""
        (stream,) = require_saved(self, saved)
        if stream is None:
            return dy if wanted(need_dx) else None
        return needed(need_dx, lambda: self._masked(dy, stream).reshape(dy.shape))

    def _masked(self, x: Any, stream: Stream) -> Any:
        """Every map times 0 or 1 / (1 - p), as a 1 x 1 convolution in which it is a channel."""
        maps = x.shape[0] * x.shape[1]
        if not x.size:
            return ops.copy(x)
        ones = ops.zeros((maps, 1, 1, 1), x.dtype.name, devices.of(x))
        ones[...] = 1
        mask = ops.dropout(ones, self.p, stream)
        return ops.conv2d(x.reshape(1, maps, 1, x.size // maps), mask, groups=maps)

    def output_shape(self, *shapes: Shape) -> Shape:
        """The input's shape; raises ShapeError for fewer than two dimensions."""
        if len(shapes[0]) < 2:
            raise ShapeError(f"dropout2d: input has shape {tuple(shapes[0])}; expected (N, C, ...)")
        return tuple(shapes[0])
