"""What the inputs of one residue meet: the data gradient of a strided convolution, taken apart.

With a stride, an input in row h meets only the taps r with h + pad - r dilation = p stride. Rows
with the same (h + pad) mod stride, their residue, meet the same taps, evenly spaced.
"""

from math import gcd
from typing import NamedTuple

from .._cuda import ceil_div
from .op import Conv2dProblem


class Axis(NamedTuple):
    """Inputs first, first + stride, ... (``places``); taps tap, tap + tap_step, ... (``taps``).

    The first input meets the first tap at output ``window``, the next tap ``back`` outputs before.
    """

    first: int
    places: int
    tap: int
    taps: int
    tap_step: int
    window: int
    back: int


def axis_of(problem: Conv2dProblem, axis: int, residue: int) -> Axis:
    """What the inputs with (row + padding) % stride == residue meet along an axis."""
    size, kernel = ((problem.h, problem.r), (problem.w, problem.s))[axis]
    stride, dilation = problem.stride[axis], problem.dilation[axis]
    padding, common = problem.padding[axis][0], gcd(stride, dilation)
    step = stride // common
    first = (residue - padding) % stride
    met = [r for r in range(min(step, kernel)) if (residue - r * dilation) % stride == 0]
    tap = met[0] if met else 0
    return Axis(
        first=first,
        places=max(0, ceil_div(size - first, stride)),
        tap=tap,
        taps=ceil_div(kernel - tap, step) if met else 0,
        tap_step=step,
        window=(first + padding - tap * dilation) // stride,
        back=dilation // common,
    )
