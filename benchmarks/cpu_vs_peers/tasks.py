"""The loops behind the CPU's ceilings."""

from typing import Any

from gpuconv.cpu.jit import call, floats, task


@task("tile a b c size times steps")
def repeat(g: Any, i: int) -> None:
    """The same tile again and again, from the first cache."""
    for _ in range(g.times):
        call(g.tile, (g.a, g.b, g.c + 4 * i * g.size, 0, 0, 0, 1, 0, 1, 0, g.steps, 0))


@task("x y size")
def copy(g: Any, i: int) -> None:
    """y = x, one piece of it."""
    x, y = floats(g.x + 4 * i * g.size, (g.size,)), floats(g.y + 4 * i * g.size, (g.size,))
    for at in range(x.size):
        y[at] = x[at]
