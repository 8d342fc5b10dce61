"""What a CPU kernel is expected to take: chooses between NumPy's ufuncs and compiled loops.

A call costs what it takes before its first element, and then what the memory moves. NumPy goes over
its arrays once for every step of a formula, a compiled loop once for all. The rates are one core's,
gpuconv/cpu/rates.py.
"""

from collections.abc import Callable
from typing import Any

from gpuconv.cpu.rates import rates
from gpuconv.device import Device
from gpuconv.registry import Op

CALL = {"numpy": 1.5e-6, "numba": 2e-5}  # seconds: one ufunc; one region of threads
SMALL, SPINNING = 5e5, 1e-3  # FLOPs; seconds


def streaming(op: Op, backend: str, passes: float = 1.0) -> Callable[[Any, Device], float]:
    """The cost of a kernel that goes ``passes`` times over every array of ``op``.

    NumPy's ``passes`` are its ufuncs (of which an exponential counts as several), each a call.
    """
    calls = max(passes, 1.0) if backend == "numpy" else 1.0

    def cost(problem: Any, device: Device) -> float:
        return calls * CALL[backend] + passes * op.bytes(problem) / rates().stream

    return cost


def arithmetic(op: Op, backend: str, rate: str) -> Callable[[Any, Device], float]:
    """The cost of a kernel with FLOPs at the ``rate`` of that name, or as the memory feeds it."""

    def cost(problem: Any, device: Device) -> float:
        work = max(op.flops(problem) / getattr(rates(), rate), op.bytes(problem) / rates().stream)
        return CALL[backend] + work

    return cost


def threaded_blas(op: Op) -> Callable[[Any, Device], float]:
    """The cost of a matrix product by NumPy's BLAS.

    Beyond small products it wakes threads of its own, which then spin beside ours for a while.
    """
    alone = arithmetic(op, "numpy", "blas")

    def cost(problem: Any, device: Device) -> float:
        return alone(problem, device) + (SPINNING if op.flops(problem) > SMALL else 0.0)

    return cost


def measured(op: Op, start: float, passes: float) -> Callable[[Any, Device], float]:
    """The cost of a kernel that takes ``start`` seconds and then ``passes`` over every array."""

    def cost(problem: Any, device: Device) -> float:
        return start + passes * op.bytes(problem) / rates().stream

    return cost
