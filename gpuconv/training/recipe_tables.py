"""From what TOML or JSON gives to dataclasses, every entry checked by its name and type."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ..errors import OptionError
from ..shapes import integer, real

Table = TypeVar("Table")


def table(kind: type[Table], said: Any, where: str) -> Table:
    """A dataclass from a mapping; raises OptionError naming an entry that is unknown or missing."""
    if not isinstance(said, Mapping):
        raise OptionError(f"{where}: expected a table, got {said!r:.60}")
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for name in said:
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise OptionError(f"{where}: unknown entry {name!r}; {meant}known: {', '.join(known)}")
    hints = get_type_hints(kind)
    for name, entry in known.items():
        bare = entry.default is MISSING and entry.default_factory is MISSING
        if bare and name not in said:
            raise OptionError(f"{where}: {name} is missing; add it")
    return kind(**{name: value_of(hints[name], v, f"{where}: {name}") for name, v in said.items()})


def value_of(hint: Any, value: Any, where: str) -> Any:
    """The value as its type asks for; raises OptionError otherwise."""
    options = [option for option in get_args(hint) if option is not NoneType]
    if len(options) == 1 and NoneType in get_args(hint):
        hint = options[0]
    if is_dataclass(hint):
        return table(hint, value, where)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise OptionError(f"{where}: expected a list, got {value!r:.60}")
        return tuple(value_of(get_args(hint)[0], one, where) for one in value)
    if hint is float:
        return real(value, where)
    if hint is int:
        return integer(value, where, 0)
    expected = hint if isinstance(hint, type) else Mapping
    if not isinstance(value, expected):
        raise OptionError(f"{where}: expected {expected.__name__.lower()}, got {value!r:.60}")
    return value
