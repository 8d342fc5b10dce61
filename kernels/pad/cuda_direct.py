"""direct: one thread per element written; axes without padding next to each other are joined."""

from typing import Any

from gpuconv.cuda import Source
from gpuconv.device import Device

from .._cost import SCALAR, streaming
from .._cuda import Launcher
from .op import PadProblem, pad, pad_backward

SOURCE = Source(__file__)
AXES = 8  # cuda_direct.cu has the same number

Axis = tuple[int, int, int]  # size, padding before, padded size


def _axes(problem: PadProblem) -> list[Axis]:
    """The axes after joining those without padding to the one before them, if it has none."""
    joined: list[Axis] = []
    for size, (before, after) in zip(problem.shape, problem.padding, strict=True):
        bare = before == after == 0
        if bare and joined and joined[-1][0] == joined[-1][2]:
            size *= joined.pop()[0]
        joined.append((size, before, before + size + after))
    return joined


def _refuses(problem: PadProblem, device: Device) -> str | None:
    """More axes than the kernel's struct has room for."""
    axes = len(_axes(problem))
    if axes <= AXES:
        return None
    return (
        f"pads at most {AXES} axes (neighbours without padding count as one), got {axes}; pad some "
        "of them in a call of their own"
    )


def _launcher(problem: PadProblem) -> tuple[Launcher, Any]:
    """A launcher and the problem as the kernels' Pad."""
    run, axes = Launcher(SOURCE, problem), _axes(problem)
    sizes = [*axes, *[(1, 0, 1)] * (AXES - len(axes))]
    columns = zip(("inner", "before", "outer"), zip(*sizes, strict=True), strict=True)
    fields = {f"{name}{i}": size for name, column in columns for i, size in enumerate(column)}
    return run, run.struct(axes=len(axes), **fields)


@pad.kernel("direct", backend="cuda", refuses=_refuses, cost=streaming(pad, SCALAR))
def forward(outs, ins, problem, work):
    """y = x inside, the value in the border."""
    run, shape = _launcher(problem)
    run.each("pad", outs[0].size, *outs, *ins, run.real(problem.value), shape)


@pad_backward.kernel(
    "direct", backend="cuda", refuses=_refuses, cost=streaming(pad_backward, SCALAR)
)
def backward(outs, ins, problem, work):
    """dx = dy inside."""
    run, shape = _launcher(problem)
    run.each("pad_backward", outs[0].size, *outs, *ins, shape)
