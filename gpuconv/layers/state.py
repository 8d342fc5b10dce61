"""Whether a state dict fits a net, and everything that does not, at once."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from .. import device as devices
from ..errors import StateError
from .parameter import Buffer, Tensorlike

_SHOWN = 12  # of each kind; nets of another family differ in hundreds


class Loaded(NamedTuple):
    """What ``load_state_dict`` left as it was, and what it did not use, as PyTorch names them."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def require_fit(places: Mapping[str, Tensorlike], state: Any, strict: bool) -> Loaded:
    """What is missing and unexpected; raises StateError if that or a shape or dtype is in the way.

    Optional buffers are never missing.
    """
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise StateError(
            "load_state_dict: expected a dict of arrays by name, as state_dict() and "
            f"load_weights() give; got {type(state).__name__}"
        )
    optional = {n for n, p in places.items() if isinstance(p, Buffer) and p.optional}
    missing = sorted(set(places) - set(state) - optional)
    unexpected = sorted(set(state) - set(places))
    wrong = [
        f"{name} has shape {tuple(state[name].shape)} and dtype {state[name].dtype}, expected "
        f"{place.shape} and {place.home[1]}"
        for name, place in places.items()
        if name in state and not _fits(name, place, state[name])
    ]
    parts = _prefixed(missing, unexpected) or _named(missing, unexpected) if strict else []
    parts += _cut(wrong, "; ")
    if parts:
        raise StateError(f"load_state_dict: {'; '.join(parts)}; nothing was loaded (same model?)")
    return Loaded(missing, unexpected)


def _prefixed(missing: list[str], unexpected: list[str]) -> list[str]:
    """What to do if all that is missing is there under longer names: most often a wrapper's."""
    for prefix in sorted({name.partition(".")[0] + "." for name in unexpected}):
        if missing and {prefix + name for name in missing}.issubset(unexpected):
            return [
                f"the names begin with {prefix!r}; take it off: "
                f"{{name.removeprefix({prefix!r}): array for name, array in state.items()}}"
            ]
    return []


def _named(missing: list[str], unexpected: list[str]) -> list[str]:
    """The two lists as sentences; a missing name with the unexpected one that is nearest to it."""
    near = {
        name: get_close_matches(name, unexpected, 1, 0.8) if index < _SHOWN else []
        for index, name in enumerate(missing)
    }
    said = [f"{name} (there is {near[name][0]})" if near[name] else name for name in missing]
    parts = [f"missing {text}" for text in _cut(said, ", ")]
    return parts + [f"unexpected {text}" for text in _cut(unexpected, ", ")]


def _cut(items: Sequence[str], between: str) -> list[str]:
    """One text of the first few and how many more there are; none for no items."""
    more = f"{between}and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else ""
    return [between.join(items[:_SHOWN]) + more] if items else []


def _fits(name: str, place: Tensorlike, array: Any) -> bool:
    devices.of(array, "load_state_dict", name)
    castable = np.can_cast(array.dtype, place.home[1], "same_kind")
    return tuple(array.shape) == place.shape and castable
