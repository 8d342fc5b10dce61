"""How images become what a net takes; travels with its weights."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..shapes import Shape, integer
from .images import decode, middle
from .inputs import NetInput

KEY = "gpuconv.preprocessing"  # its place in the metadata of a file of weights
ORDERS = ("RGB", "BGR")


@dataclass(frozen=True)
class Preprocessing:
    """Images in are (x / 255 - mean) / std, ``input_shape`` (C, H, W), channels in this ``order``.

    ``resize`` is the shorter side before the middle is cut out, in pixels, as torchvision's Resize
    and CenterCrop do; None: the whole image is resized to H x W. ``mean`` and ``std`` are in the
    net's order of channels. ``classes`` names what the outputs mean, () if nobody said.

    Raises OptionError as NetInput does, and for another order, a ``resize`` below H or W, or
    classes that are no strings.
    """

    input_shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str = "RGB"
    resize: int | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        net_input = NetInput(self.input_shape, self.mean, self.std)
        if self.order not in ORDERS or (self.order == "BGR" and net_input.channels != 3):
            raise OptionError(f"order must be RGB, or BGR of three channels; got {self.order!r}")
        if self.resize is not None:
            integer(self.resize, "resize", max(net_input.height, net_input.width))
        if not all(isinstance(name, str) for name in self.classes):
            raise OptionError(f"classes must be strings, got {self.classes!r:.80}")

    def image(self, path: str | os.PathLike) -> np.ndarray:
        """One image file as the net takes it: float32 (1, C, H, W).

        Raises DataError for a file that is no readable image.
        """
        net_input, pixels = NetInput(self.input_shape, self.mean, self.std), decode(path)
        if self.resize is not None:
            pixels = middle(pixels, self.resize, net_input.height, net_input.width)
        fitting = net_input.fit(pixels)
        return net_input.floats((fitting[..., ::-1] if self.order == "BGR" else fitting)[None])

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str, where: str) -> "Preprocessing":
        """From JSON that came from ``where``; raises DataError if it is not what dumps gives."""
        try:
            said = json.loads(text)
            listed: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in said.items()
            }
            return cls(**listed)
        except (AttributeError, OptionError, RecursionError, TypeError, ValueError) as error:
            raise DataError(f"{where}: no such preprocessing ({str(error)[:80]})") from None

    @classmethod
    def of(cls, net: Any, **more: Any) -> "Preprocessing":
        """That of a net with ``input_shape``, and ``mean`` and ``std`` unless they are 0 and 1."""
        given = (getattr(net, "mean", 0.0), getattr(net, "std", 1.0))
        mean, std = (tuple(map(float, np.atleast_1d(values))) for values in given)
        return cls(tuple(net.input_shape), mean, std, **more)
