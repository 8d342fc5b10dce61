"""Groups of parameters with learning rates of their own, as torch.optim takes them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import OptionError
from ..layers import Layer, Parameter
from ..layers.transfer import below, named
from ..shapes import real
from .schedules import Schedule, schedule_state

KEYS = ("params", "lr", "lr_scale", "weight_decay")


@dataclass(frozen=True)
class Group:
    """Parameters and their rate: ``lr`` (None: the optimiser's) times ``lr_scale``.

    ``weight_decay`` None: the optimiser's.
    """

    parameters: tuple[Any, ...]
    lr: "float | Schedule | None" = None
    lr_scale: float = 1.0
    weight_decay: float | None = None

    @property
    def options(self) -> dict[str, float]:
        """What an update takes besides its rate."""
        return {} if self.weight_decay is None else {"weight_decay": self.weight_decay}

    def rate(self, base: float, step: int) -> float:
        """The learning rate of a step; raises OptionError unless it is a number >= 0."""
        if self.lr is None:
            return base * self.lr_scale
        own = self.lr(step) if callable(self.lr) else self.lr
        return real(own, f"optimizer: a group's learning rate of step {step}", 0.0) * self.lr_scale


def read(given: Any) -> list[Group]:
    """The groups that an optimiser was given: parameters, or dicts of ``params`` and rates.

    Raises OptionError for what is neither, an unknown key, a bad rate, or a parameter in two.
    """
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise OptionError(
            f"optimizer: expected parameters, as net.parameters() gives; got {given!r}"
        )
    listed = list(given)
    if not any(isinstance(entry, Mapping) for entry in listed):
        return [Group(tuple(listed))]
    groups = [_group(number, entry) for number, entry in enumerate(listed)]
    seen: set[int] = set()
    for number, group in enumerate(groups):
        mine = {id(parameter) for parameter in group.parameters}
        if mine & seen:
            raise OptionError(
                f"optimizer: group {number} has a parameter that an earlier group has; each "
                "parameter has one learning rate"
            )
        seen |= mine
    return groups


def _group(number: int, entry: Any) -> Group:
    what = f"optimizer: group {number}"
    if not isinstance(entry, Mapping) or "params" not in entry or not set(entry) <= set(KEYS):
        came = ", ".join(map(str, entry)) if isinstance(entry, Mapping) else repr(entry)
        raise OptionError(
            f"{what}: got {came}; expected a dict of params and {', '.join(KEYS[1:])}"
        )
    parameters, lr = entry["params"], entry.get("lr")
    if not isinstance(parameters, Iterable):
        raise OptionError(f"{what}: params must be parameters, got {parameters!r}")
    if lr is not None and not callable(lr):
        lr = real(lr, f"{what}: lr", 0.0)
    if schedule_state(lr):
        raise OptionError(
            f"{what}: a Plateau is for all parameters together; give it as lr to the optimizer, "
            "and lr_scale to the group"
        )
    scale, decay = entry.get("lr_scale", 1.0), entry.get("weight_decay")
    if decay is not None:
        decay = real(decay, f"{what}: weight_decay", 0.0)
    return Group(tuple(parameters), lr, real(scale, f"{what}: lr_scale", 0.0), decay)


def param_groups(net: Layer, lr_scale: Mapping[str, float]) -> list[dict[str, Any]]:
    """The parameters of a net as groups for an optimiser: ``{"features": 0.1}`` slows features.

    Names are paths of nodes, as ``net.freeze`` takes them; the longest that fits a parameter counts
    and the rest keep the optimiser's rate. Raises OptionError for a name that is not there.
    """
    if not isinstance(lr_scale, Mapping):
        raise OptionError(f"param_groups: expected a dict of factors by name, got {lr_scale!r}")
    members = dict(net.named_parameters())
    named("param_groups", members, lr_scale)
    parts: dict[str | None, list[Parameter]] = {name: [] for name in (None, *lr_scale)}
    for path, parameter in members.items():
        fitting = [name for name in lr_scale if below(path, name)]
        parts[max(fitting, key=len, default=None)].append(parameter)
    return [
        {"params": parts[name], "lr_scale": 1.0 if name is None else lr_scale[name]}
        for name in parts
        if parts[name]
    ]
