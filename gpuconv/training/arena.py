"""Parameters, gradients and optimiser state in flat arrays, so that one launch updates all."""

from collections.abc import Iterator, Mapping
from typing import Any

from .. import device as devices
from .. import ops
from ..errors import OptionError
from ..layers import Parameter


class Arena:
    """The trainable parameters of one device and dtype as views of flat arrays.

    ``value`` and ``gradient`` are flat (n,); ``state(name)`` gives a further flat array of zeros,
    made at first use. Parameters that were moved, replaced or made trainable since are taken in by
    ``refresh``. Raises OptionError for no parameters, or for mixed dtypes or devices.
    """

    def __init__(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if not isinstance(parameter, Parameter):
                raise OptionError(
                    f"optimizer: expected parameters, as net.parameters() gives; got {parameter!r}"
                )
        self._given = list({id(p): p for p in parameters}.values())
        self.parameters = [p for p in self._given if p.trainable]
        if not self.parameters:
            raise OptionError("optimizer: there is no trainable parameter to update")
        self._states: dict[str, Any] = {}
        self._take_in()

    def _take_in(self) -> None:
        kinds = {(devices.of(p.value), p.value.dtype.name) for p in self.parameters}
        if len(kinds) > 1:
            listed = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in kinds))
            raise OptionError(f"optimizer: parameters must have one device and dtype, got {listed}")
        ((self.device, self.dtype),) = kinds
        size = sum(p.size for p in self.parameters)
        self.value = devices.empty((size,), self.dtype, self.device)
        self.gradient = ops.zeros((size,), self.dtype, self.device)
        for parameter, part in self.parts():
            view = self.value[part].reshape(parameter.shape)
            view[...] = parameter.value
            gradient = parameter.grad
            parameter.bind(view, self.gradient[part].reshape(parameter.shape))
            if gradient is not None:
                parameter.add_grad(gradient)
        self._views = [p.value for p in self.parameters]
        self._known = {id(p) for p in self.parameters}
        for name, old in self._states.items():
            moved = devices.to_device(old, self.device)
            self._states[name] = moved.astype(self.dtype, copy=False)

    def parts(self) -> Iterator[tuple[Parameter, slice]]:
        start = 0
        for parameter in self.parameters:
            yield parameter, slice(start, start + parameter.size)
            start += parameter.size

    def refresh(self) -> None:
        """Take in what was made trainable, and again what lives elsewhere (moved, replaced)."""
        if any(p.trainable for p in self._given if id(p) not in self._known):
            self._grow()
            return
        for parameter, view in zip(self.parameters, self._views, strict=True):
            foreign = parameter.grad is not None and parameter.grad is not parameter._slot
            if foreign or parameter.value is not view:
                self._take_in()
                return

    def _grow(self) -> None:
        """Take in parameters that became trainable; their state is zeros, that of others stays."""
        before, states = {id(p): part for p, part in self.parts()}, self._states
        self.parameters = [p for p in self._given if p.trainable or id(p) in before]
        self._states = {}
        self._take_in()
        for name, old in states.items():
            state = self.state(name)
            for parameter, part in self.parts():
                if id(parameter) in before:
                    state[part] = devices.to_device(old[before[id(parameter)]], self.device)

    def state(self, name: str):  # type: ignore[no-untyped-def]
        """The flat array of that name, zeros at first."""
        if name not in self._states:
            self._states[name] = ops.zeros(self.value.shape, self.dtype, self.device)
        return self._states[name]

    @property
    def states(self) -> dict[str, object]:
        """Every flat state array by name."""
        return dict(self._states)

    def load_states(self, states: dict[str, Any]) -> None:
        """Replace every state array; raises OptionError, changing nothing, on a wrong size."""
        for name, values in states.items():
            shape = getattr(values, "shape", None)
            if shape != self.value.shape:
                raise OptionError(
                    f"optimizer: state {name!r} has shape {shape}, expected "
                    f"{self.value.shape}; does it belong to another net?"
                )
        self._states = {
            name: devices.to_device(values.astype(self.dtype), self.device)
            for name, values in states.items()
        }

    def runs(self, groups: Mapping[int, int]) -> list[tuple[slice, int]]:
        """The longest stretches whose parameters all have a gradient and one group.

        ``groups`` are numbers by the ``id`` of the parameters; each stretch comes with its number.
        """
        found: list[tuple[slice, int]] = []
        for parameter, part in self.parts():
            group = groups[id(parameter)]
            if parameter.grad is None:
                continue
            if found and (found[-1][0].stop, found[-1][1]) == (part.start, group):
                part = slice(found.pop()[0].start, part.stop)
            found.append((part, group))
        return found

    def clear_missing(self) -> None:
        """Zero the places of gradients that are not there, so that they add nothing to a norm."""
        for parameter, part in self.parts():
            if parameter.grad is None:
                self.gradient[part] = 0

    def touched(self, others: list[Parameter]) -> None:
        """Count a new version of every parameter that has a gradient, and of others."""
        for parameter in (*others, *(p for p in self.parameters if p.grad is not None)):
            parameter.version += 1
