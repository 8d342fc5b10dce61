"""The one loop around every pointwise tile: pieces of flat arrays, spread over the threads."""

from typing import Any

from .jit import call, task


@task("tile a b c d x y z scalars size piece")
def pieces(g: Any, i: int) -> None:
    """One piece of every array."""
    first = i * g.piece
    at, count = 4 * first, min(g.piece, g.size - first)
    ins = g.a + at, g.b + at, g.c + at, g.d + at
    call(g.tile, (*ins, g.x + at, g.y + at, g.z + at, g.scalars, first, count))
