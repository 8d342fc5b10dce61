"""Layer: parameters, forward, backward; no per-call state."""

from collections.abc import Iterator
from types import FunctionType
from typing import Any, Self

import numpy as np

from .. import device as devices
from ..device import Device
from ..errors import OptionError
from ..random import Stream
from ..shapes import Shape
from .parameter import Buffer, Parameter, Tensorlike
from .state import Loaded, require_fit
from .transfer import Transfer

NeedDx = bool | tuple[bool, ...]


class Layer(Transfer):
    """A step of a net.

    ``forward(*xs, train=False, keep=None, update=None, rng=None)`` returns ``(y, saved)``:
    ``train`` drops units and uses batch statistics; ``keep`` (default ``train``) returns what
    backward needs; ``update`` (default ``train``) changes running statistics; ``rng`` is a
    ``gpuconv.random.Stream`` for layers that draw. ``backward(dy, saved, need_dx=True)`` returns
    dx and adds into ``Parameter.grad``. ``layer(x)`` is inference.

    Class attributes: ``outputs``, how many arrays y is; ``aliases``, whether y may share memory
    with an input; ``keeps``, which of "x" and "y" are kept for backward; ``formats``, "any" for a
    layer that hands values straight to ``ops`` and asks them for no more than shape and dtype;
    ``epilogues``, those that ``forward`` takes as a keyword; ``epilogue``, the one that computes
    what this layer does, which keeps y and has nothing to learn or to draw; ``records``, "train"
    and "inference" where a pass calls ``ops`` and changes nothing else.
    """

    outputs = 1
    aliases = False
    keeps: tuple[str, ...] = ()
    formats = "NCHW"
    epilogues: tuple[str, ...] = ()
    epilogue = ""
    records: tuple[str, ...] = ()

    def forward(
        self,
        *xs: Any,
        train: bool = False,
        keep: bool | None = None,
        update: bool | None = None,
        rng: Stream | None = None,
    ) -> tuple[Any, Any]:
        """Returns the output and what backward needs (None unless kept)."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, dy: Any, saved: Any, need_dx: NeedDx = True) -> Any:
        """Returns the inputs' gradients, None where not needed."""
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def output_shape(self, *shapes: Shape) -> Any:
        """Shape of y for inputs of these shapes (batch included); raises ShapeError."""
        raise NotImplementedError(f"{type(self).__name__} has no output_shape")

    def flops(self, *shapes: Shape) -> int:
        """Operations of the convolutions and matrix products, 2 per multiply-add."""
        return 0

    def kept_bytes(self, itemsize: int, *shapes: Shape) -> int:
        """Bytes kept for backward besides the arrays that ``keeps`` names."""
        return 0

    def __call__(self, *xs: Any) -> Any:
        return self.forward(*xs)[0]

    @property
    def draws(self) -> int:
        """How many random streams one training pass takes."""
        return sum(child.draws for child in self.children().values())

    def children(self) -> dict[str, "Layer"]:
        """Layers that this one is made of, by name."""
        return {name: v for name, v in vars(self).items() if isinstance(v, Layer)}

    def _named(self, kind: type, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self).items():
            if isinstance(value, kind) and id(value) not in seen:
                seen.add(id(value))
                yield prefix + name, value
        for name, child in self.children().items():
            yield from child._named(kind, f"{prefix}{name}.", seen)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) once each; a shared one under its first path."""
        return self._named(Parameter, "", set())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """(name, buffer) once each."""
        return self._named(Buffer, "", set())

    def parameters(self) -> list[Parameter]:
        """Every parameter once."""
        return [parameter for _, parameter in self.named_parameters()]

    def initialize(self, seed: int) -> Self:
        """Draw every initial value anew from ``seed``; returns the layer."""
        for number, parameter in enumerate(self.parameters()):
            parameter.place(seed, number, again=True)
        return self

    def to(self, device: "str | Device") -> Self:
        """Move to "cpu", "cuda", "emulated" or "auto"; raises DeviceError if it is not here."""
        target = devices.get(device)
        for _, place in self._named(Tensorlike, "", set()):
            place.move(device=target)
        return self

    def astype(self, dtype: str) -> Self:
        """Convert every floating array to "float32" or "float64"; returns the layer."""
        # np.dtype(None) is float64.
        known = [n for n in ("float32", "float64") if dtype is not None and np.dtype(n) == dtype]
        if not known:
            raise OptionError(f"astype: got {dtype!r}; expected float32 or float64")
        for _, place in self._named(Tensorlike, "", set()):
            place.move(dtype=known[0])
        return self

    def zero_grad(self) -> None:
        """Forget every gradient."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """Every parameter and buffer by name; the arrays themselves, not copies."""
        return {name: place.value for name, place in self._named(Tensorlike, "", set())}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> Loaded:
        """Copy values from ``state``; returns the ``missing_keys`` and the ``unexpected_keys``.

        Raises StateError, changing nothing, unless all fit; with ``strict=False`` only shapes and
        dtypes have to.
        """
        places = dict(self._named(Tensorlike, "", set()))
        found = require_fit(places, state, strict)
        known = {name: array for name, array in state.items() if name in places}
        for name, array in known.items():
            place = places[name]
            here, dtype = place.home
            values = np.array(devices.to_numpy(array), dtype)  # a copy: the caller's stays his
            if isinstance(place, Parameter) and place._slot is not None:
                place.value[...] = devices.to_device(values, here)
                place.version += 1
            else:
                place.value = devices.to_device(values, here)
        return found


METHODS = ("forward", "backward", "apply", "gradient")


def takes_any_format(kind: type[Layer]) -> bool:
    """Whether layers of this class may be given formatted values."""
    return declared(kind, "formats") == "any"


def declared(kind: type[Layer], name: str) -> Any:
    """What a class says of itself in ``formats``, ``epilogues`` or ``epilogue``.

    A subclass that computes otherwise than its base has to say so again.
    """
    for base in kind.__mro__:
        if name in vars(base):
            return vars(base)[name]
        if any(method in vars(base) for method in METHODS):
            break
    return vars(Layer)[name]


def records(layer: Layer, mode: str) -> bool:
    """Whether a pass of this layer may be recorded: its class says so, and changes no method."""
    if not vars(layer).keys().isdisjoint(dir(type(layer))):
        return False
    for base in type(layer).__mro__:
        if "records" in vars(base):
            return mode in vars(base)["records"]
        if any(map(_computes, vars(base).items())):
            break
    return False


def _computes(member: tuple[str, Any]) -> bool:
    name, value = member
    return name != "__init__" and isinstance(value, FunctionType | property | classmethod)


def kept(keep: bool | None, train: bool) -> bool:
    """Whether forward returns what backward needs."""
    return train if keep is None else keep


def require_saved(layer: Layer, saved: Any) -> Any:
    """``saved``, or an OptionError that says how to get it."""
    if saved is None:
        raise OptionError(
            f"{type(layer).__name__}.backward: nothing was saved; run forward with train=True "
            "or keep=True and pass on what it returned"
        )
    return saved


def wanted(need_dx: NeedDx, number: int = 0) -> bool:
    """Whether the gradient of input ``number`` is needed."""
    return need_dx[number] if isinstance(need_dx, tuple) else need_dx


def needed(need_dx: NeedDx, gradient: Any) -> Any:
    """The single input's gradient, or None where it is not needed."""
    return gradient() if wanted(need_dx) else None
