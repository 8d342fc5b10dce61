"""Structs passed to kernels by value, as structured NumPy scalars."""

from functools import cache
from typing import Any

import numpy as np


@cache
def _dtype(names: tuple[str, ...], wide: tuple[str, ...]) -> np.dtype:
    return np.dtype([(n, np.int64 if n in wide else np.int32) for n in names], align=True)


def pack(fields: dict[str, int], wide: tuple[str, ...] = ()) -> Any:
    """A struct of ints in this order, ``wide`` ones as long long, laid out as C++ lays it out."""
    values = np.zeros((), _dtype(tuple(fields), wide))
    for name, value in fields.items():
        values[name] = value
    return values[()]
