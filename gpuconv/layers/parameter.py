"""Parameter: what training changes. Buffer: what travels with the net but is not trained."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .. import device as devices
from .. import ops
from ..cpu import host
from ..device import Device
from ..errors import ShapeError
from ..random import INIT, Stream
from ..shapes import Shape
from .init import Init, Kaiming


class Tensorlike:
    """A named place for an array that moves with its layer."""

    def __init__(self, value: Any) -> None:
        self._value: Any = devices.to_device(value, devices.CPU)
        self.version = 0

    @property
    def value(self) -> np.ndarray:
        """The array."""
        return self._value

    @value.setter
    def value(self, array: Any) -> None:
        devices.of(array, type(self).__name__, "value")
        if tuple(array.shape) != self.shape:
            raise ShapeError(
                f"{type(self).__name__}: got a value of shape {tuple(array.shape)}, expected "
                f"{self.shape}"
            )
        self._value = array
        self.version += 1

    @property
    def shape(self) -> Shape:
        """The array's shape; known before the array is drawn."""
        return tuple(self._value.shape)

    @property
    def size(self) -> int:
        """How many elements there are."""
        return prod(self.shape)

    @property
    def home(self) -> tuple[Device, str]:
        """Device and dtype; known before the array is drawn."""
        return devices.of(self._value), self._value.dtype.name

    def move(self, device: Device | None = None, dtype: str | None = None) -> None:
        """Move to a device and to a dtype (None leaves it)."""
        if device is not None:
            self._value = devices.to_device(self._value, device)
        if dtype is not None and self._value.dtype.kind == "f":
            self._value = self._value.astype(dtype)
        self.version += 1


class Buffer(Tensorlike):
    """State that is saved but not trained: running statistics, fixed codes.

    ``optional`` buffers may be missing from a state dict that is loaded; ``host`` ones stay on the
    CPU whatever the net's device.
    """

    def __init__(self, value: Any, *, optional: bool = False, host: bool = False) -> None:
        super().__init__(value)
        self.optional, self.host = optional, host

    def move(self, device: Device | None = None, dtype: str | None = None) -> None:
        """Move to a device and to a dtype, except what stays on the host."""
        super().move(None if self.host else device, dtype)


class Parameter(Tensorlike):
    """A trained array: ``value``, ``grad`` (None before backward), ``trainable``, ``version``.

    ``early``, where an optimiser sets it, takes what the gradient is computed from and changes the
    value at once; it says whether it did (gpuconv/training/early.py).

    Made with ``lazy``, its value is drawn when it is first read, from the seed and from the
    parameter's number in the outermost net that holds it; reading or assigning it fixes it.
    """

    def __init__(self, value: Any, *, trainable: bool = True) -> None:
        super().__init__(value)
        self.trainable = trainable
        self.grad: np.ndarray | None = None
        self.early: Callable[..., bool] | None = None
        self._slot: np.ndarray | None = None  # the gradient's place in an optimiser's flat array

    @classmethod
    def lazy(cls, shape: Shape, init: Init, dtype: str = "float32") -> "Parameter":
        """A parameter whose value is drawn from ``init`` at first use."""
        parameter = cls(np.empty(0, dtype))
        parameter._value = None
        parameter._shape, parameter._init = tuple(shape), init
        parameter._place, parameter._target = Stream(0, 0, INIT), (devices.CPU, dtype)
        return parameter

    _shape: Shape
    _init: Init | None = None
    _place: Stream
    _target: tuple[Device, str]

    @property
    def shape(self) -> Shape:
        """The array's shape; known before the array is drawn."""
        return self._shape if self._init is not None else super().shape

    @property
    def home(self) -> tuple[Device, str]:
        """Device and dtype; known before the array is drawn."""
        return super().home if self.drawn else self._target

    @property
    def drawn(self) -> bool:
        """Whether the value is there; a lazy parameter's is not until it is read."""
        return self._value is not None

    @property
    def value(self) -> np.ndarray:
        """The array, drawn now if it was not."""
        if self._value is None and self._init is not None:
            device, dtype = self._target
            values = self._init.draw(self._shape, self._place).astype(dtype)
            self._value = devices.to_device(values, device)
        return self._value

    @value.setter
    def value(self, array: Any) -> None:
        Tensorlike.value.fset(self, array)  # type: ignore[attr-defined]

    def draw_from(self, init: Init) -> None:
        """Draw the value from another ``init``, now and whenever the net is initialised."""
        (self._target, shape), number = (self.home, self.shape), self.__dict__.get("_place")
        self._shape, self._init = shape, init
        self._place, self._value = number or Stream(0, 0, INIT), None
        self.version += 1

    def place(self, seed: int, number: int, *, again: bool = False) -> None:
        """Draw from this seed and number, unless drawn already (``again`` draws anew)."""
        if self._init is not None and (again or not self.drawn):
            self._place = Stream(seed, 0, INIT + number)
            if self.drawn:
                self._target, self._value = self.home, None
                self.version += 1

    def resized(self, shape: Shape) -> "Parameter":
        """An undrawn parameter of another shape, with this one's initial values and home."""
        device, dtype = self.home
        made = Parameter.lazy(shape, self._init or Kaiming(), dtype)
        made._target = device, dtype
        return made

    def move(self, device: Device | None = None, dtype: str | None = None) -> None:
        """Move to a device and to a dtype; the gradient is dropped."""
        self.grad = self._slot = None
        if self.drawn:
            super().move(device, dtype)
        else:
            self._target = (device or self._target[0], dtype or self._target[1])

    def bind(self, value: np.ndarray, slot: np.ndarray) -> None:
        """Live in these views of an optimiser's flat arrays; ``value`` holds the values."""
        self._value, self._slot, self.grad = value, slot, None

    def gradient_place(self) -> np.ndarray | None:
        """Where an op may write this parameter's first gradient, for ``add_grad`` to take over.

        None where there is a gradient already, or no optimiser to share a place with. Only on the
        CPU: a place is aligned to its elements, and a GPU kernel may want more.
        """
        is_free = self.grad is None and type(self._slot) is np.ndarray
        return self._slot if is_free else None

    def add_grad(self, gradient: np.ndarray) -> None:
        """Add to ``grad``; the array that is given is never written to, unless it is the place.

        Raises ShapeError for a gradient of another shape than the value's.
        """
        if tuple(gradient.shape) != self.shape:
            raise ShapeError(
                f"{type(self).__name__}: got a gradient of shape {tuple(gradient.shape)}, expected "
                f"{self.shape}; does the gradient of the output have the output's shape?"
            )
        if self.grad is not None:
            if self.grad is self._slot:
                ops.accumulate(self.grad, gradient)
            else:
                self.grad = ops.add(self.grad, gradient)
        elif self._slot is not None:
            if gradient is not self._slot:
                host(_copy, self._slot, gradient)
            self.grad = self._slot
        else:
            self.grad = gradient


def _copy(to: Any, values: Any) -> None:
    to[...] = values
