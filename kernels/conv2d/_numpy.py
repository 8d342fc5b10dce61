"""What the NumPy convolutions share: padded copies, window views, blocks and workspace."""

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gpuconv.shapes import Shape

from .op import Conv2dProblem

TARGET = 4 << 20  # bytes of columns worked on at once, so that they stay in the cache


def block_size(problem: Conv2dProblem, elements: int) -> tuple[int, int]:
    """Images and output rows at once, where one output row works on ``elements`` elements."""
    rows = max(1, TARGET // (np.dtype(problem.dtype).itemsize * max(elements, 1)))
    if rows < problem.p:
        return 1, rows
    return max(1, min(problem.n, rows // max(problem.p, 1))), max(problem.p, 1)


def pieces(total: int, size: int) -> Iterator[slice]:
    """``range(total)`` in slices of at most ``size``."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def nbytes(problem: Conv2dProblem, *shapes: Shape) -> int:
    """Bytes of workspace that arrays of these shapes take."""
    return sum(map(prod, shapes)) * np.dtype(problem.dtype).itemsize


def carve(work: np.ndarray | None, dtype: str, *shapes: Shape) -> list[np.ndarray]:
    """Consecutive arrays of these shapes out of the workspace."""
    flat = np.empty(0, dtype) if work is None else work.view(dtype)
    arrays, start = [], 0
    for shape in shapes:
        arrays.append(flat[start : start + prod(shape)].reshape(shape))
        start += prod(shape)
    return arrays


def padded_shape(problem: Conv2dProblem, images: int) -> Shape:
    """Shape of ``images`` padded input images."""
    (top, bottom), (left, right) = problem.padding
    return images, problem.c, problem.h + top + bottom, problem.w + left + right


def inside(problem: Conv2dProblem, padded: np.ndarray) -> np.ndarray:
    """The part of the padded images that is the image, as a view."""
    top, left = problem.padding[0][0], problem.padding[1][0]
    return padded[:, :, top : top + problem.h, left : left + problem.w]


def pad(problem: Conv2dProblem, buffer: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The images ``x`` with their border of zeros, in ``buffer``."""
    padded = buffer[: len(x)]
    padded.fill(0)
    inside(problem, padded)[...] = x
    return padded


def tap(problem: Conv2dProblem, padded: np.ndarray, r: int, s: int) -> np.ndarray:
    """The inputs that weight (r, s) meets, as a view (n, c, p, q)."""
    row, col = r * problem.dilation[0], s * problem.dilation[1]
    down, across = problem.stride
    rows = slice(row, row + down * (problem.p - 1) + 1, down)
    return padded[:, :, rows, col : col + across * (problem.q - 1) + 1 : across]


def windows(problem: Conv2dProblem, padded: np.ndarray) -> np.ndarray:
    """Every input that every output meets, as a view (n, groups, cg, r, s, p, q)."""
    n, c, row, col = padded.strides
    shape = (len(padded), problem.groups, problem.cg, problem.r, problem.s, problem.p, problem.q)
    dilated = row * problem.dilation[0], col * problem.dilation[1]
    strided = row * problem.stride[0], col * problem.stride[1]
    return as_strided(padded, shape, (n, c * problem.cg, c, *dilated, *strided), writeable=False)


def finish(problem: Conv2dProblem, y: np.ndarray, bias: np.ndarray | None) -> None:
    """Add the bias and apply the epilogue in place; NaN stays NaN."""
    if bias is not None:
        y += bias[:, None, None]
    if problem.epilogue == "relu":
        np.maximum(y, 0, out=y)


def refuses(problem: Conv2dProblem, device: object) -> str | None:
    """An epilogue that the NumPy convolutions do not know."""
    known = problem.epilogue in ("", "relu")
    return None if known else f"knows no epilogue {problem.epilogue!r}"
