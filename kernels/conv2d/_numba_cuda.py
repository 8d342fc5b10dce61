"""What the Numba-CUDA convolutions share: a problem's options as tuples."""

from .op import Conv2dProblem

Pair = tuple[int, int]
CHAIN = 16  # terms that are added up before their sum joins the total: rounding grows with a chain


def window(problem: Conv2dProblem) -> tuple[Pair, Pair, Pair]:
    """Stride, rows above and columns left of the image, and dilation."""
    (top, _), (left, _) = problem.padding
    return problem.stride, (top, left), problem.dilation
