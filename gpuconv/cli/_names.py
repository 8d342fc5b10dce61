"""What a bare CUDA kernel may call its parameters: the numbers of a problem, by name."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import Any

from ..problem import Problem

Number = int | float

_HIDDEN = ("dtype", "precision", "epilogue")
_NO_SIZES = ("eps", "tiny")
_AXES = ("kernel", "stride", "dilation")
_SIDES = ("top", "bottom", "left", "right")
# Options that show in other numbers as well: a kernel that takes those takes the option.
_SHOWS_IN = {
    "alpha": {"depth"},
    "ceil_mode": {"p", "q"},
    "count_include_pad": {"include_pad"},
    "epilogue": {"relu"},
    "groups": {"cg", "kg"},
    "max_val": {"bounds_1"},
    "min_val": {"bounds_0"},
}


def numbers(problem: Problem) -> dict[str, Number]:
    """Every number of a problem by name.

    A pair (h, w) gives NAME_h and NAME_w, padding pad_top, pad_bottom, pad_left and pad_right,
    any other tuple NAME_0, NAME_1 and so on; a pooling has common.cuh's names, too.
    """
    found: dict[str, Number] = {}
    for name in (*(f.name for f in fields(problem)), *_properties(type(problem))):
        if name not in _HIDDEN:
            found |= _spread(name, getattr(problem, name))
    if "kernel_h" in found:
        found |= {"r": found["kernel_h"], "s": found["kernel_w"]}
        found["include_pad"] = found.get("count_include_pad", False)
    return found | {"relu": problem.epilogue == "relu"}


def ignored(problem: Problem, taken: Iterable[str]) -> str | None:
    """The first option that is not at its default though no number of it is ``taken``, or None."""
    known = set(taken)
    for field in fields(problem):
        value = getattr(problem, field.name)
        if field.name in ("dtype", "precision") or field.default in (MISSING, value):
            continue
        if not known & {*_spread(field.name, value), *_SHOWS_IN.get(field.name, ())}:
            return field.name
    return None


def _properties(problem: type) -> list[str]:
    found = (name for name in dir(problem) if isinstance(getattr(problem, name), property))
    return [name for name in found if name not in _NO_SIZES]


def _spread(name: str, value: Any) -> dict[str, Number]:
    if isinstance(value, int | float):
        return {name: value}
    if not isinstance(value, tuple):
        return {}
    if name == "padding" and len(value) == len(_SIDES) // 2:
        amounts = (amount for pair in value for amount in pair)
        return {f"pad_{side}": n for side, n in zip(_SIDES, amounts, strict=True)}
    ends = "hw" if name in _AXES else map(str, range(len(value)))
    parts = zip(ends, value, strict=True)
    return {f"{name}_{end}": n for end, n in parts if isinstance(n, int | float)}
