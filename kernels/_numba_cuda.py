"""What the Numba-CUDA kernels share: grids, sizes of an index, sums that stay accurate.

Numba's integers have 64 bits wherever they are computed with: no kernel here needs INDEX, and none
is limited to 2^31 elements.
"""

from typing import Any

from gpuconv.cuda import grid_for
from gpuconv.cuda.launch import BLOCK
from gpuconv.cuda.numba import Jitted, cuda, launch

TILE = 16  # a tile has an element for each of a block's threads
TILE_SHAPE = (TILE, TILE + 1)  # the 17th column puts a column of the tile into 16 banks


def each(kernel: Jitted, count: int, *args: Any) -> None:
    """Launch a thread for each of ``count`` items; the kernel strides over what is left."""
    if count:
        launch(kernel, grid_for(count), (BLOCK,), args)


def each_block(kernel: Jitted, count: int, *args: Any) -> None:
    """Launch a block for each of ``count`` items; the kernel strides over what is left."""
    if count:
        launch(kernel, grid_for(count, 1), (BLOCK,), args)


@cuda.jit(device=True)
def inside(index, size):
    """Whether an index lies in [0, size)."""
    return 0 <= index < size


@cuda.jit(device=True)
def unravel(index, shape):
    """The four indices of element ``index`` of an array, in row-major order."""
    rest, last = index // shape[3], index % shape[3]
    rest, third = rest // shape[2], rest % shape[2]
    return rest // shape[1], rest % shape[1], third, last


@cuda.jit(device=True)
def window_at(position, stride, windows):
    """The window that starts at ``position`` of the padded axis, below 0 where none does."""
    window = position // stride
    return window if position % stride == 0 and window < windows else -1


@cuda.jit(device=True)
def tile_product(left, right, down, across, depth):
    """Row ``down`` of one shared tile times column ``across`` of another, ``depth`` terms."""
    total = left.dtype.type(0)
    for i in range(min(TILE, depth)):
        total += left[down, i] * right[i, across]
    return total
