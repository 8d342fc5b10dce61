"""Winograd's algorithm in exact arithmetic: F(m, r), m results of r weights by m + r - 1 products.

Toom and Cook: results of a correlation are coefficients of a product of polynomials, found from
its values at points, one of them infinity. y = A^T ((G w) * (B^T x)) for a row; a square takes
each matrix on both sides, as in y = A^T ((G w G^T) * (B^T x B)) A. A correlation is the transpose
of the product, so the polynomials' own matrices stand on the other side.

Winograd, "Arithmetic complexity of computations" (1980), chapter V; Lavin and Gray, "Fast
algorithms for convolutional neural networks" (2016), section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

Matrix = tuple[tuple[Fraction, ...], ...]

# Points near 1 keep the values alike in size: of those tried, these lose the fewest digits at the
# same number of products. They come in pairs +-p, whose rows share half of their arithmetic.
RESULTS = {3: 4, 5: 3}  # m for a window of r
POINTS = {3: "0 3/4 -3/4 3/2 -3/2", 5: "1/4 -1/4 7/8 -7/8 7/4 -7/4"}


@dataclass(frozen=True)
class Algorithm:
    """F(m, r): ``forward`` is B^T, ``weights`` G and ``back`` A^T; ``size`` is m + r - 1."""

    m: int
    r: int
    forward: Matrix
    weights: Matrix
    back: Matrix

    @property
    def size(self) -> int:
        """Points, infinity included: rows and columns of a transformed tile."""
        return self.m + self.r - 1


def transpose(matrix: Matrix) -> Matrix:
    """Rows as columns."""
    return tuple(zip(*matrix, strict=True))


@cache
def algorithm(r: int) -> Algorithm:
    """The algorithm used for windows of r x r weights."""
    return toom_cook(RESULTS[r], r, [Fraction(point) for point in POINTS[r].split()])


def toom_cook(m: int, r: int, points: Sequence[Fraction]) -> Algorithm:
    """F(m, r) from m + r - 2 different finite points, and infinity."""
    values, infinity = _values(points, r), _infinity(r)
    scales = [prod((p - q for q in points if q != p), start=Fraction(1)) for p in points]
    scaled = (tuple(v / by for v in row) for row, by in zip(values, scales, strict=True))
    others = [[q for q in points if q != p] for p in points]
    inverse = ((*_with_roots(roots), Fraction(0)) for roots in others)
    return Algorithm(
        m,
        r,
        forward=(*inverse, tuple(_with_roots(points))),
        weights=(*scaled, infinity),
        back=transpose((*_values(points, m), _infinity(m))),
    )


def _values(points: Sequence[Fraction], count: int) -> Matrix:
    """Row by row: the first ``count`` powers of each point."""
    return tuple(tuple(p**power for power in range(count)) for p in points)


def _infinity(count: int) -> tuple[Fraction, ...]:
    """A polynomial's value at infinity is its highest coefficient."""
    return (*[Fraction(0)] * (count - 1), Fraction(1))


def _with_roots(roots: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of the product of (x - root), the constant one first."""
    total = [Fraction(1)]
    for root in roots:
        raised, lowered = [Fraction(0), *total], [*(-root * c for c in total), Fraction(0)]
        total = [a + b for a, b in zip(raised, lowered, strict=True)]
    return total
