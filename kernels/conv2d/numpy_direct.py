"""direct: one small matrix product per weight position, over a shifted view of the input.

Straight from the definition: y = sum over (r, s) of weight[:, :, r, s] @ x shifted by (r, s). The
workspace holds one shifted copy and one product, never R * S of them as im2col does.
"""

import numpy as np

from gpuconv.device import Device
from gpuconv.shapes import Shape

from . import _cpu_cost as cost
from . import _numpy as shared
from .op import Conv2dProblem, conv2d, conv2d_input, conv2d_weight


def _buffers(problem: Conv2dProblem) -> tuple[int, list[Shape]]:
    """Images of a block; shapes of padded images, a shifted copy and a product."""
    size = problem.p * problem.q
    images, _ = shared.block_size(problem, (problem.c + problem.k) * problem.q)
    shifted = (images, problem.groups, problem.cg, size)
    product = (images, problem.groups, problem.kg, size)
    return images, [shared.padded_shape(problem, images), shifted, product]


def _workspace(problem: Conv2dProblem, device: Device) -> int:
    return shared.nbytes(problem, *_buffers(problem)[1])


def _grouped(problem: Conv2dProblem, a: np.ndarray) -> np.ndarray:
    return a.reshape(len(a), problem.groups, -1, problem.p * problem.q)


def _shifted(
    problem: Conv2dProblem, buffer: np.ndarray, padded: np.ndarray, r: int, s: int
) -> np.ndarray:
    copy = buffer[: len(padded)]
    view = shared.tap(problem, padded, r, s)
    np.copyto(copy.reshape(view.shape), view)
    return copy


def _at(problem: Conv2dProblem, weight: np.ndarray, r: int, s: int) -> np.ndarray:
    """The weights of one position as (groups, kg, cg)."""
    return np.ascontiguousarray(weight[:, :, r, s]).reshape(problem.groups, problem.kg, -1)


@conv2d.kernel(
    "direct",
    backend="numpy",
    rank=60,
    workspace=_workspace,
    refuses=shared.refuses,
    cost=cost.shifts("conv2d"),
)
def forward(outs, ins, problem, work):
    """y = sum over weight positions of weight @ shifted input."""
    (y,), (x, weight, bias) = outs, ins
    images, shapes = _buffers(problem)
    border, copy, product = shared.carve(work, problem.dtype, *shapes)
    y.fill(0)
    for i in shared.pieces(problem.n, images):
        padded, target = shared.pad(problem, border, x[i]), _grouped(problem, y[i])
        for r, s in np.ndindex(problem.r, problem.s):
            part = product[: len(padded)]
            shifted = _shifted(problem, copy, padded, r, s)
            target += np.matmul(_at(problem, weight, r, s), shifted, out=part)
        shared.finish(problem, y[i], bias)


@conv2d_weight.kernel(
    "direct", backend="numpy", rank=60, workspace=_workspace, cost=cost.shifts("conv2d_weight")
)
def weight_gradient(outs, ins, problem, work):
    """dweight at one position = sum over images of dy @ shifted input^T."""
    (dweight,), (x, dy) = outs, ins
    images, shapes = _buffers(problem)
    border, copy, _ = shared.carve(work, problem.dtype, *shapes)
    dweight.fill(0)
    for i in shared.pieces(problem.n, images):
        padded, slope = shared.pad(problem, border, x[i]), _grouped(problem, dy[i])
        for r, s in np.ndindex(problem.r, problem.s):
            shifted = _shifted(problem, copy, padded, r, s)
            part = np.matmul(slope, shifted.swapaxes(2, 3)).sum(0)
            dweight[:, :, r, s] += part.reshape(problem.k, problem.cg)


@conv2d_input.kernel(
    "direct", backend="numpy", rank=60, workspace=_workspace, cost=cost.shifts("conv2d_input")
)
def input_gradient(outs, ins, problem, work):
    """dx = sum over weight positions of weight^T @ dy, each added where it came from."""
    (dx,), (dy, weight) = outs, ins
    images, shapes = _buffers(problem)
    border, product, _ = shared.carve(work, problem.dtype, *shapes)
    for i in shared.pieces(problem.n, images):
        slope = _grouped(problem, dy[i])
        padded = border[: len(slope)]
        padded.fill(0)
        for r, s in np.ndindex(problem.r, problem.s):
            part = product[: len(slope)]
            np.matmul(_at(problem, weight, r, s).swapaxes(1, 2), slope, out=part)
            view = shared.tap(problem, padded, r, s)
            view += part.reshape(view.shape)
        dx[i] = shared.inside(problem, padded)
