"""Dropout of whole channels."""

from typing import Any

from .. import device as devices
from .. import ops
from ..errors import ShapeError
from ..random import Stream
from ..shapes import Shape
from .activation import Dropout, require_rng
from .base import NeedDx, kept, needed, require_saved, wanted


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
