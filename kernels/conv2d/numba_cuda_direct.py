"""direct: convolution and both gradients, one thread per result, written in Python.

Idea: as in cuda_direct.cu beside this file, a thread walks over everything that its result is the
  sum of, in a fixed order; the data gradient gathers, and a weight's sum over all outputs is split
  into slices, which a second launch adds up in order. No atomics: the same bits every time.
  What differs is the language. An array knows its shape and hands out views: ``x[n, c]`` is a
  plane of the image, so that no struct of sizes is passed and no index is multiplied out; options
  are tuples. An index has 64 bits, which costs registers. Whether a product and a sum become one
  instruction is left to the compiler.
Grid: one thread for each result (or weight and slice), striding over what is left.
Shared memory: none.
Takes: every shape (strides, padding on four sides, dilation, groups), float32 and float64.
Next rung: two reads for each multiply-add, the same ones again and again; numba_cuda_tiled.py
  keeps a tile of both operands in shared memory.
"""

from gpuconv.cuda.numba import cuda
from gpuconv.device import Device

from .._cuda import nbytes, refuses_epilogue, typed
from .._numba_cuda import each, inside, unravel, window_at
from ._numba_cuda import CHAIN, window
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight

SLICES = 64  # parts of a weight's sum, at most
ROWS = 4  # output rows of a part, at least
THREADS = 1 << 20  # more of them than this do not fill a GPU any better


@cuda.jit(device=True)
def under_filter(plane, taps, top, left, dilation):
    """A filter's products with the part of a plane that it lies on, row by row."""
    total = plane.dtype.type(0)
    for r in range(taps.shape[0]):
        row = top + r * dilation[0]
        if inside(row, plane.shape[0]):
            along = plane.dtype.type(0)
            for s in range(taps.shape[1]):
                col = left + s * dilation[1]
                if inside(col, plane.shape[1]):
                    along += plane[row, col] * taps[r, s]
            total += along
    return total


@cuda.jit
def outputs(y, x, weight, bias, has_bias, relu, window):
    """y = x * weight + bias, then ReLU where it is asked for."""
    stride, pad, dilation = window
    channels, zero = weight.shape[1], x.dtype.type(0)
    filters = weight.shape[0] * channels // x.shape[1]
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        n, k, p, q = unravel(i, y.shape)
        top, left = p * stride[0] - pad[0], q * stride[1] - pad[1]
        total, part = zero, zero
        for c in range(channels):
            plane = x[n, k // filters * channels + c]
            part += under_filter(plane, weight[k, c], top, left, dilation)
            if c % CHAIN == CHAIN - 1:
                total, part = total + part, zero
        total += part
        if has_bias:
            total += bias[k]
        y[n, k, p, q] = zero if relu and total <= zero else total


@cuda.jit(device=True)
def handed_back(slope, taps, down, across, stride, dilation):
    """What the windows that held an input give back to it; its place counts the padding."""
    total = slope.dtype.type(0)
    for r in range(taps.shape[0]):
        p = window_at(down - r * dilation[0], stride[0], slope.shape[0])
        if p >= 0:
            along = slope.dtype.type(0)
            for s in range(taps.shape[1]):
                q = window_at(across - s * dilation[1], stride[1], slope.shape[1])
                if q >= 0:
                    along += slope[p, q] * taps[r, s]
            total += along
    return total


@cuda.jit
def inputs(dx, dy, weight, window):
    """dx = the sum over the outputs that an input took part in."""
    stride, pad, dilation = window
    channels, zero = weight.shape[1], dy.dtype.type(0)
    filters = weight.shape[0] * channels // dx.shape[1]
    for i in range(cuda.grid(1), dx.size, cuda.gridsize(1)):
        n, c, row, col = unravel(i, dx.shape)
        first, own = c // channels * filters, c % channels
        total, part = zero, zero
        for f in range(filters):
            slope, taps = dy[n, first + f], weight[first + f, own]
            part += handed_back(slope, taps, row + pad[0], col + pad[1], stride, dilation)
            if f % CHAIN == CHAIN - 1:
                total, part = total + part, zero
        dx[n, c, row, col] = total + part


@cuda.jit(device=True)
def along_row(image, slope, left, stride):
    """A weight's products with one row of outputs."""
    total = slope.dtype.type(0)
    for q in range(slope.size):
        col = left + q * stride
        if inside(col, image.size):
            total += slope[q] * image[col]
    return total


@cuda.jit
def weight_slices(partial, x, dy, shape, window):
    """A weight's products with a slice of the batch's output rows; partial is (slices, weights)."""
    stride, pad, dilation = window
    weights, rows, zero = partial.shape[1], dy.shape[0] * dy.shape[2], dy.dtype.type(0)
    size = (rows + partial.shape[0] - 1) // partial.shape[0]
    filters = shape[0] * shape[1] // x.shape[1]
    for i in range(cuda.grid(1), partial.size, cuda.gridsize(1)):
        k, own, r, s = unravel(i % weights, shape)
        c, begin = k // filters * shape[1] + own, i // weights * size
        total, part = zero, zero
        for at in range(begin, min(begin + size, rows)):
            n, p = at // dy.shape[2], at % dy.shape[2]
            row = p * stride[0] - pad[0] + r * dilation[0]
            if inside(row, x.shape[2]):
                left = s * dilation[1] - pad[1]
                part += along_row(x[n, c, row], dy[n, k, p], left, stride[1])
            if at % CHAIN == CHAIN - 1:
                total, part = total + part, zero
        partial[i // weights, i % weights] = total + part


@cuda.jit
def sum_of_slices(total, partial):
    """The slices one after the other: a fixed order."""
    for i in range(cuda.grid(1), total.size, cuda.gridsize(1)):
        value = partial[0, i]
        for part in range(1, partial.shape[0]):
            value += partial[part, i]
        total[i] = value


@conv2d.kernel("direct", backend="numba_cuda", rank=95, refuses=refuses_epilogue)
def forward(outs, ins, problem, work):
    """y = sum over c, r, s of x * weight, bias and ReLU in the same launch."""
    (y,), (x, weight, bias) = outs, ins
    given, relu = weight.reshape(-1) if bias is None else bias, problem.epilogue == "relu"
    each(outputs, y.size, y, x, weight, given, bias is not None, relu, window(problem))


@conv2d_input.kernel("direct", backend="numba_cuda", rank=95)
def input_gradient(outs, ins, problem, work):
    """dx = sum over the outputs that an input took part in."""
    each(inputs, outs[0].size, *outs, *ins, window(problem))


def _slices(problem: Conv2dProblem) -> int:
    weights = problem.k * problem.cg * problem.r * problem.s
    return max(1, min(SLICES, problem.n * problem.p // ROWS, THREADS // max(weights, 1)))


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    slices, weights = _slices(problem), problem.k * problem.cg * problem.r * problem.s
    return nbytes(problem, slices * weights) if slices > 1 else 0


@conv2d_weight.kernel("direct", backend="numba_cuda", rank=95, workspace=_workspace)
def weight_gradient(outs, ins, problem, work):
    """dweight = partial sums over slices of output rows, then the slices in order."""
    (dweight,), slices = outs, _slices(problem)
    partial = (typed(work, problem) if slices > 1 else dweight).reshape(slices, -1)
    each(weight_slices, partial.size, partial, *ins, dweight.shape, window(problem))
    if slices > 1:
        each(sum_of_slices, dweight.size, dweight.reshape(-1), partial)
