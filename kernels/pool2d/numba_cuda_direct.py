"""direct: max and average pooling and their gradients, one thread per result, written in Python.

Idea: as in cuda_direct.cu beside this file, a thread walks over its window in row-major order, and
  a gradient gathers: an input element adds up what the windows that hold it hand back, so that no
  two threads write to one place. There a window's maximum is an index, and its value is read
  again; here a device function returns both, as a tuple. Images are planes (N C, H, W), and a
  thread takes a view of its plane.
Grid: one thread for each result, striding over what is left. Shared memory: none.
Takes: every shape (padding on four sides, dilation, ceil_mode), float32 and float64; an index has
  64 bits.
Next rung: windows that overlap read the same elements again; they mostly hit the L1 cache.
"""

from gpuconv.cuda.numba import cuda

from .._numba_cuda import each, inside, window_at
from .op import (
    AvgPool2dProblem,
    Pool2dProblem,
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
)

Pairs = tuple[tuple[int, int], ...]


@cuda.jit(device=True)
def place(index, planes):
    """Plane, row and column of an element, in row-major order."""
    row = index // planes.shape[2]
    return row // planes.shape[1], row % planes.shape[1], index % planes.shape[2]


@cuda.jit(device=True)
def largest(plane, top, left, size, dilation):
    """The first maximum of a window, or its first NaN, and its index in the plane."""
    best, at = plane.dtype.type(0), -1
    for r in range(size[0]):
        row = top + r * dilation[0]
        if inside(row, plane.shape[0]):
            for s in range(size[1]):
                col = left + s * dilation[1]
                if inside(col, plane.shape[1]):
                    value = plane[row, col]
                    first_nan = value != value and best == best
                    if at < 0 or value > best or first_nan:
                        best, at = value, row * plane.shape[1] + col
    return best, at


@cuda.jit
def maxima(y, index, x, window):
    """y and index of each window's first maximum."""
    size, stride, pad, dilation = window
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        n, p, q = place(i, y)
        top, left = p * stride[0] - pad[0], q * stride[1] - pad[1]
        y[n, p, q], index[n, p, q] = largest(x[n], top, left, size, dilation)


@cuda.jit
def maxima_gradient(dx, dy, index, window):
    """dx = the sum of dy over the windows whose maximum the element was."""
    size, stride, pad, dilation = window
    for i in range(cuda.grid(1), dx.size, cuda.gridsize(1)):
        n, row, col = place(i, dx)
        total = dy.dtype.type(0)
        for r in range(size[0]):
            p = window_at(row + pad[0] - r * dilation[0], stride[0], dy.shape[1])
            for s in range(size[1] if p >= 0 else 0):
                q = window_at(col + pad[1] - s * dilation[1], stride[1], dy.shape[2])
                if q >= 0 and index[n, p, q] == row * dx.shape[2] + col:
                    total += dy[n, p, q]
        dx[n, row, col] = total


@cuda.jit(device=True)
def counted(first, positions, dilation, limits):
    """How many of a window's positions along one axis lie within the limits."""
    count = 0
    for r in range(positions):
        if limits[0] <= first + r * dilation < limits[1]:
            count += 1
    return count


@cuda.jit(device=True)
def divisor(p, q, window, limits):
    """What a window divides by: positions of the image, and of the padding if it is included."""
    size, stride, pad, dilation = window
    rows = counted(p * stride[0] - pad[0], size[0], dilation[0], limits[0])
    return rows * counted(q * stride[1] - pad[1], size[1], dilation[1], limits[1])


@cuda.jit(device=True)
def window_sum(plane, top, left, size, dilation):
    """The sum of a window, row by row."""
    total = plane.dtype.type(0)
    for r in range(size[0]):
        row = top + r * dilation[0]
        if inside(row, plane.shape[0]):
            along = plane.dtype.type(0)
            for s in range(size[1]):
                col = left + s * dilation[1]
                if inside(col, plane.shape[1]):
                    along += plane[row, col]
            total += along
    return total


@cuda.jit
def averages(y, x, window, limits):
    """y = sum of the window / divisor."""
    size, stride, pad, dilation = window
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        n, p, q = place(i, y)
        top, left = p * stride[0] - pad[0], q * stride[1] - pad[1]
        total = window_sum(x[n], top, left, size, dilation)
        y[n, p, q] = total / x.dtype.type(divisor(p, q, window, limits))


@cuda.jit
def averages_gradient(dx, dy, window, limits):
    """dx = the sum of dy / divisor over the windows that hold the element."""
    size, stride, pad, dilation = window
    for i in range(cuda.grid(1), dx.size, cuda.gridsize(1)):
        n, row, col = place(i, dx)
        total = dy.dtype.type(0)
        for r in range(size[0]):
            p = window_at(row + pad[0] - r * dilation[0], stride[0], dy.shape[1])
            for s in range(size[1] if p >= 0 else 0):
                q = window_at(col + pad[1] - s * dilation[1], stride[1], dy.shape[2])
                if q >= 0:
                    total += dy[n, p, q] / dy.dtype.type(divisor(p, q, window, limits))
        dx[n, row, col] = total


def _window(problem: Pool2dProblem) -> Pairs:
    """Size, stride, rows above and columns left of the image, and dilation."""
    (top, _), (left, _) = problem.padding
    return problem.kernel, problem.stride, (top, left), problem.dilation


def _limits(problem: AvgPool2dProblem) -> Pairs:
    """First and end of the rows, and of the columns, that the divisor counts."""
    (top, bottom), (left, right) = (
        problem.padding if problem.count_include_pad else ((0, 0), (0, 0))
    )
    return (-top, problem.h + bottom), (-left, problem.w + right)


def _planes(arrays):
    return (array.reshape(-1, *array.shape[2:]) if array.size else array for array in arrays)


@max_pool2d.kernel("direct", backend="numba_cuda", rank=95)
def maximum(outs, ins, problem, work):
    """y and index of each window's first maximum."""
    each(maxima, outs[0].size, *_planes((*outs, *ins)), _window(problem))


@max_pool2d_backward.kernel("direct", backend="numba_cuda", rank=95)
def maximum_gradient(outs, ins, problem, work):
    """dx = the sum of dy over the windows whose maximum the element was."""
    each(maxima_gradient, outs[0].size, *_planes((*outs, *ins)), _window(problem))


@avg_pool2d.kernel("direct", backend="numba_cuda", rank=95)
def average(outs, ins, problem, work):
    """y = sum of the window / divisor."""
    each(averages, outs[0].size, *_planes((*outs, *ins)), _window(problem), _limits(problem))


@avg_pool2d_backward.kernel("direct", backend="numba_cuda", rank=95)
def average_gradient(outs, ins, problem, work):
    """dx = the sum of dy / divisor over the windows that hold the element."""
    each(
        averages_gradient, outs[0].size, *_planes((*outs, *ins)), _window(problem), _limits(problem)
    )
