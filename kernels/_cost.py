"""What a CUDA kernel is expected to take: chooses between kernels until they have been timed.

A roofline (Williams et al. 2009): the longer of the arithmetic and the traffic, slowed down where
there are too few threads to keep a GPU busy, plus the launches. The figures
(gpuconv/cuda/rates.py) are of an H100's size; only the order that they put kernels in matters. A
plan's entry, which was measured, goes before any cost.
"""

from collections.abc import Callable
from math import ceil, prod
from typing import Any

import numpy as np

from gpuconv.cuda.rates import BANDWIDTH, BUSY, FLOPS, LAUNCH
from gpuconv.device import Device
from gpuconv.problem import Problem
from gpuconv.registry import Op

SCALAR, VECTOR = 0.9, 1.0  # shares of the bandwidth that an element and 16 bytes a thread can reach


def estimate(
    problem: Problem,
    *,
    flops: float,
    nbytes: float,
    threads: int,
    efficiency: float = 1.0,
    launches: int = 1,
) -> float:
    """Seconds; ``efficiency`` is the share of the peak that the main loop can reach."""
    share = min(1.0, max(threads, 1) / BUSY)
    work = max(flops / (FLOPS[problem.dtype] * efficiency), nbytes / BANDWIDTH)
    return launches * LAUNCH + work / share


def streaming(op: Op, reach: float) -> Callable[[Any, Device], float]:
    """The cost of a kernel that moves every array of ``op`` once, at ``reach`` of the bandwidth."""

    def cost(problem: Any, device: Device) -> float:
        elements = prod(problem.spec(op.outs[0].rstrip("?"))[0])
        flops, nbytes = op.flops(problem), op.bytes(problem) / reach
        return estimate(problem, flops=flops, nbytes=nbytes, threads=elements)

    return cost


def summing(op: Op) -> Callable[[Any, Device], float]:
    """The cost of a kernel that reads every array of ``op`` once, many threads for each result."""

    def cost(problem: Any, device: Device) -> float:
        largest = max(prod(problem.spec(name.rstrip("?"))[0]) for name in op.ins)
        flops, nbytes = op.flops(problem), op.bytes(problem) / SCALAR
        return estimate(problem, flops=flops, nbytes=nbytes, threads=largest, launches=2)

    return cost


def sums(problem: Problem, *, results: int, terms: int, lanes: int) -> float:
    """Seconds for ``results`` sums of ``terms`` neighbouring values, by ``lanes`` threads each.

    Lanes of an incomplete round read nothing but take their turn. A thread by itself fetches
    sectors (32 bytes) that its neighbours do not share: half of what comes is taken as lost.
    """
    itemsize = np.dtype(problem.dtype).itemsize
    read = lanes * ceil(terms / lanes) if lanes > 1 else terms * (2 if terms * itemsize > 32 else 1)
    return estimate(
        problem,
        flops=results * terms,
        nbytes=results * (read + 1) * itemsize,
        threads=results * min(lanes, terms),
    )
