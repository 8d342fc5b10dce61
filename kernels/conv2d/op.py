"""conv2d, conv2d_input (data gradient), conv2d_weight (weight gradient): declarations.

Cross-correlation, never flipped. Letters as in CUTLASS's Conv2dProblemSize: input N C H W, weight
K C/groups R S, output N K P Q.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpuconv.problem import Problem
from gpuconv.registry import LINEAR, Op
from gpuconv.shapes import Padding, Pair, Shape, conv_size


@dataclass(frozen=True)
class Conv2dProblem(Problem):
    """Sizes and options of one convolution and of both its gradients."""

    formatted = ("x", "y")

    n: int
    c: int
    h: int
    w: int
    k: int
    r: int
    s: int
    stride: Pair = (1, 1)
    padding: Padding = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def p(self) -> int:
        """Output rows."""
        return conv_size(self.h, self.r, self.stride[0], self.padding[0], self.dilation[0])

    @property
    def q(self) -> int:
        """Output columns."""
        return conv_size(self.w, self.s, self.stride[1], self.padding[1], self.dilation[1])

    @property
    def cg(self) -> int:
        """Input channels of one group."""
        return self.c // self.groups

    @property
    def kg(self) -> int:
        """Output channels of one group."""
        return self.k // self.groups

    def shapes(self) -> dict[str, Shape]:
        """Shapes of x, weight, bias and y."""
        return {
            "x": (self.n, self.c, self.h, self.w),
            "weight": (self.k, self.cg, self.r, self.s),
            "bias": (self.k,),
            "y": (self.n, self.k, self.p, self.q),
        }

    def taps(self) -> Iterator[tuple]:
        """Every multiply-add as indices (output, weight, input) that meet inside the image."""
        for n, k, p, q in np.ndindex(self.n, self.k, self.p, self.q):
            for c, r, s in np.ndindex(self.cg, self.r, self.s):
                row = p * self.stride[0] - self.padding[0][0] + r * self.dilation[0]
                col = q * self.stride[1] - self.padding[1][0] + s * self.dilation[1]
                if 0 <= row < self.h and 0 <= col < self.w:
                    channel = k // self.kg * self.cg + c
                    yield (n, k, p, q), (k, c, r, s), (n, channel, row, col)


def _flops(problem: Conv2dProblem) -> int:
    positions = problem.n * problem.k * problem.p * problem.q
    return 2 * positions * problem.cg * problem.r * problem.s


def reference(
    problem: Conv2dProblem, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """y[n,k,p,q] = bias[k] + sum over c,r,s of x * weight, then the epilogue."""
    y = np.zeros(problem.spec("y")[0])
    for out, w, i in problem.taps():
        y[out] += x[i] * weight[w]
    if bias is not None:
        for k in range(problem.k):
            y[:, k] += bias[k]
    return np.where(y <= 0, 0.0, y) if problem.epilogue == "relu" else y


def reference_input(problem: Conv2dProblem, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """dx: every product of the forward pass, given back to its input element."""
    dx = np.zeros(problem.spec("x")[0])
    for out, w, i in problem.taps():
        dx[i] += dy[out] * weight[w]
    return dx


def reference_weight(problem: Conv2dProblem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """dweight: every product of the forward pass, given back to its weight."""
    dweight = np.zeros(problem.spec("weight")[0])
    for out, w, i in problem.taps():
        dweight[w] += dy[out] * x[i]
    return dweight


def cases() -> Iterator[Conv2dProblem]:
    """Small awkward shapes: odd sizes, every option alone and together, empty batch."""
    both = ((1, 1), (1, 1))
    yield Conv2dProblem(2, 3, 7, 6, 4, 3, 3, padding=both)
    yield Conv2dProblem(1, 4, 9, 9, 6, 3, 3, (2, 2), both, groups=2)
    yield Conv2dProblem(2, 2, 11, 8, 3, 5, 3, padding=((2, 2), (2, 2)), dilation=(2, 1))
    yield Conv2dProblem(1, 3, 5, 8, 2, 2, 4, (3, 2), ((0, 1), (2, 1)), (1, 2))
    yield Conv2dProblem(3, 4, 5, 5, 4, 3, 3, padding=both, groups=4)
    yield Conv2dProblem(2, 5, 4, 3, 7, 1, 1)
    yield Conv2dProblem(2, 4, 7, 7, 3, 1, 1, (2, 2))
    yield Conv2dProblem(1, 3, 1, 17, 4, 1, 5, padding=((0, 0), (2, 2)))
    yield Conv2dProblem(1, 3, 23, 23, 2, 11, 11, (4, 4), ((2, 2), (2, 2)))
    yield Conv2dProblem(1, 1, 1, 1, 1, 1, 1)
    yield Conv2dProblem(2, 1, 3, 3, 2, 5, 5, padding=((2, 3), (3, 2)))
    yield Conv2dProblem(0, 3, 7, 7, 4, 3, 3, padding=both)
    yield Conv2dProblem(2, 3, 9, 10, 6, 3, 2, (2, 3), ((1, 2), (0, 1)), (2, 2), groups=3)


def forward_cases() -> Iterator[Conv2dProblem]:
    """The cases, the first two and a depthwise one with the ReLU epilogue as well."""
    for number, problem in enumerate(cases()):
        yield problem
        if number < 2 or problem.groups == problem.c == problem.k > 1:
            yield replace(problem, epilogue="relu")


conv2d = Op(
    "conv2d",
    Conv2dProblem,
    ins=("x", "weight", "bias?"),
    outs=("y",),
    reference=reference,
    cases=forward_cases,
    scale=LINEAR,
    flops=_flops,
)
conv2d_input = Op(
    "conv2d_input",
    Conv2dProblem,
    ins=("dy", "weight"),
    outs=("dx",),
    reference=reference_input,
    cases=cases,
    scale=LINEAR,
    flops=_flops,
)
conv2d_weight = Op(
    "conv2d_weight",
    Conv2dProblem,
    ins=("x", "dy"),
    outs=("dweight",),
    reference=reference_weight,
    cases=cases,
    scale=LINEAR,
    flops=_flops,
)
