"""What the NumPy kernels of several families share."""

from collections.abc import Iterator
from typing import Any

import numpy as np

BLOCK = 1 << 14


def branch(out: np.ndarray, x: np.ndarray, negative: Any) -> None:
    """out = ``negative`` where x <= 0, else 1, exactly, for a finite ``negative``.

    By arithmetic: NumPy's selection by a boolean array takes several times as long.
    """
    below = np.asarray(x <= 0)
    np.copyto(out, below)
    out *= negative
    out += ~below


def blocks(size: int) -> Iterator[slice]:
    """``range(size)`` in slices whose float arrays, a few at once, stay in the L2 cache."""
    for start in range(0, size, BLOCK):
        yield slice(start, min(start + BLOCK, size))
