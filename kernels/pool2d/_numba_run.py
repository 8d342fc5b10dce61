"""Runs a walk of the CPU poolings over all planes, in tasks of some rows each."""

from math import ceil
from typing import Any

import numpy as np

from ._numba_axes import Axis

TASKS = 32  # that an operation is cut into, at least, where it can be


def walk(make: Any, axes: tuple[Axis, Axis], y: np.ndarray, /, **fields: Any) -> None:
    """Run the task that ``make`` gives for the lanes of ``y``, whose rows and columns walk."""
    planes, (rows, cols) = y.shape[0] * y.shape[1], axes
    if not planes:
        return
    height = len(rows.begin)
    part = ceil(height / min(height, ceil(TASKS / planes)))
    parts = ceil(height / part)
    make(lanes(y)).each(
        planes * parts,
        row_begin=rows.begin,
        row_count=rows.count,
        down=rows.step,
        col_begin=cols.begin,
        col_count=cols.count,
        across=cols.step,
        parts=parts,
        part=part,
        **fields,
    )


def average(axes: tuple[Axis, Axis], y: np.ndarray, x: np.ndarray) -> None:
    """Fill ``y`` with the weighted sums of ``x`` that the axes say."""
    from . import _numba_tasks as tasks

    rows, cols = axes
    sizes = {"h": x.shape[2], "w": x.shape[3], "p": y.shape[2], "q": y.shape[3]}
    sources = {"row_source": rows.source, "col_source": cols.source}
    results = {"row_result": rows.result, "col_result": cols.result}
    walk(tasks.average, axes, y, x=x, y=y, **sizes, **sources, **results)


def lanes(x: np.ndarray) -> int:
    """Channels of a block: 1 in an array (N, C, H, W)."""
    return x.shape[4] if x.ndim == 5 else 1
