"""What a CUDA kernel launches for a problem, and what each launch needs, without a GPU.

The launches are recorded, not run; registers, spilled bytes and blocks on a multiprocessor come
from the checked-in table (static.py).
"""

from functools import cache
from math import prod
from typing import Any

from gpuconv import registry
from gpuconv.cpu import memory
from gpuconv.cuda.recording import Launch, recording
from gpuconv.device import EMULATED
from gpuconv.emulator.array import EmulatedArray
from gpuconv.errors import GpuconvError
from gpuconv.problem import Problem
from gpuconv.registry import Kernel

from .static import COLUMNS, stored


def launches(name: str, kernel: Kernel, problem: Problem, arch: str) -> list[dict[str, Any]]:
    """Each launch of a kernel of the op ``name``: its grid, its block, and its row of the table.

    Empty for a kernel that is not CUDA C++; a launch that the table does not hold has no figures.
    """
    if kernel.backend != "cuda":
        return []
    op = registry.get_op(name)
    outs, ins = (tuple(_array(problem, n) for n in names) for names in (op.outs, op.ins))
    size = kernel.workspace(problem, EMULATED)
    work = memory.empty((size,), "uint8").view(EmulatedArray) if size else None
    try:
        with recording() as made:
            kernel.run(outs, ins, problem, work)
    except GpuconvError:  # a kernel of a user's may want to look at what its launches left
        return []
    return [_row(launch, arch) for launch in made]


def _array(problem: Problem, name: str) -> Any:
    shape, dtype = problem.spec(name.rstrip("?"))
    return memory.empty(shape, dtype).view(EmulatedArray)


def _row(launch: Launch, arch: str) -> dict[str, Any]:
    path, macros = launch.function.source.path, sorted(launch.function.macros.items())
    told = " ".join(f"{key}={value}" for key, value in macros)
    key = f"{path.parent.name}/{path.name} {told} {launch.function.entry}"
    figures = _table().get(key, {}).get(arch)
    known = dict(zip(COLUMNS, figures, strict=True)) if isinstance(figures, list) else {}
    row = {"entry": launch.function.entry, "source": f"{path.parent.name}/{path.name}"}
    return {**row, "blocks": prod(launch.grid), "threads": prod(launch.block), **known}


@cache
def _table() -> dict[str, dict[str, Any]]:
    return stored()
