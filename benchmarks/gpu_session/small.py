"""Every CUDA kernel on its first cases, for a tool to watch: ``python -m`` this module.

Each array is an allocation of its own, without the battery's bands around it and filled with
nothing, so that a tool sees what is read or written beside it, or read before it was written.
"""

import sys
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

from gpuconv import battery, device, registry
from gpuconv.cuda.arrays import allocate_each
from gpuconv.device import Device
from gpuconv.limits import current_limits
from gpuconv.problem import Problem
from gpuconv.registry import Kernel, Op

from .worker import is_lost

CASES = 6  # of each kernel, float32 and float64 together


def main() -> int:
    """Run them on the GPU; the values are the battery's business, not this one's."""
    here, count, failed = device.get("cuda"), 0, 0
    allocate_each()
    for op in registry.ops().values():
        for kernel in (k for k in op.kernels() if here.kind in k.devices):
            print(f"{op.name} {kernel.name}", flush=True)
            try:
                count += sum(launch(op, kernel, *case, here) for case in cases(op, kernel, here))
            except Exception as error:  # whatever it is, the other kernels are watched too
                failed += 1
                print(f"failed: {type(error).__name__}: {error}", flush=True)
                if is_lost(error):
                    break
    print(f"{count} launches of small cases, {failed} kernels failed")
    return 1 if failed else 0


def cases(op: Op, kernel: Kernel, here: Device) -> Iterator[tuple[Problem, bool]]:
    """The first that the kernel takes."""
    every = product(battery.cases(op), battery.variants(op))
    limits = current_limits()
    return islice((c for c in every if kernel.objection(c[0], here, limits) is None), CASES)


def launch(op: Op, kernel: Kernel, problem: Problem, given: bool, here: Device) -> int:
    """Run one case and fetch its outs, which waits for it; returns 1."""
    drawn = battery.draw(op, problem, optional=given)
    there = [None if a is None else device.to_device(a, here) for a in drawn]
    updates = dict(zip(op.updates, there[len(op.ins) :], strict=True))
    outs: list[Any] = [
        updates[n] if n in updates else device.empty(*problem.spec(n.rstrip("?")), here)
        for n in op.outs
    ]
    size = kernel.workspace(problem, here)
    work = device.empty((size,), "uint8", here) if size else None
    kernel.run(tuple(outs), tuple(there[: len(op.ins)]), problem, work)
    for out in outs:
        if out is not None:
            device.to_numpy(out)
    return 1


if __name__ == "__main__":
    sys.exit(main())
