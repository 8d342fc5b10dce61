"""How images become what a net takes; travels with its weights."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from ..shapes import Shape
from .images import decode
from .inputs import NetInput

KEY = "gpuconv.preprocessing"  # its place in the metadata of a file of weights


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
        self._net_input()
        if not all(isinstance(name, str) for name in self.classes):
            raise OptionError(f"classes must be strings, got {self.classes!r:.80}")

    def image(self, path: str | os.PathLike) -> np.ndarray:
        """One image file as the net takes it: float32 (1, C, H, W).

        Raises DataError for a file that is no readable image, or one that is too long.
        """
        net_input, pixels = self._net_input(), decode(path)
        try:
            return net_input.floats(net_input.fit(pixels)[None])
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def _net_input(self) -> NetInput:
        return NetInput(self.input_shape, self.mean, self.std, self.order, self.resize)

    def put_on(self, net: Any) -> None:
        """Let ``net`` take such images: what Loader, evaluate, predict and save ask it for."""
        net.input_shape, net.mean, net.std = self.input_shape, self.mean, self.std
        net.order, net.resize = self.order, self.resize

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
        """That of a net with ``input_shape``, and all else unless it is the default.

        ``mean`` and ``std`` are 0 and 1 then. ``more`` goes before what the net says.
        """
        said = {name: getattr(net, name) for name in ("order", "resize") if hasattr(net, name)}
        for name, value in (("mean", 0.0), ("std", 1.0)):
            said[name] = tuple(map(float, np.atleast_1d(getattr(net, name, value))))
        return cls(**{"input_shape": tuple(net.input_shape), **said, **more})
