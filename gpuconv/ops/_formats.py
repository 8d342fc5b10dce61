"""Calls on formatted values: in the CPU's blocks where a kernel takes them, else in NCHW."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .. import device as devices
from ..errors import ShapeError
from ..formats import BLOCKED, NCHW, Formatted, blocked, family, native, plain
from ..problem import Problem
from ..registry import Op, find

Run = Callable[..., Any]


def travels(x: Any) -> bool:
    """Whether a graph may hand this array from layer to layer in another format than NCHW."""
    return type(x) is np.ndarray and x.ndim == 4 and x.dtype == np.float32


def call_formatted(run: Run, op: Op, problem: Problem, ins: tuple, **options: Any) -> Any:
    """``run`` on formatted values; its outs are formatted if they come in blocks.

    Raises ShapeError for a value of another shape than the problem's.
    """
    if op.pointwise:
        return _pointwise(run, op, problem, ins, options)
    names = [name.rstrip("?") for name in op.ins]
    for name, x in zip(names, ins, strict=True):
        if type(x) is Formatted and x.shape != problem.plain_shape(name):
            expected = problem.plain_shape(name)
            raise ShapeError(f"{op.name}: {name} has shape {x.shape}, expected {expected}")
    target = _target(op, problem, options["algorithm"])
    given = (
        in_format(x, target.format if target.is_formatted(name) else NCHW)
        for name, x in zip(names, ins, strict=True)
    )
    made = run(op, target, *given, **options)
    return made if target.format == NCHW else _wrapped(op, target, made)


def _target(op: Op, problem: Problem, algorithm: str | None) -> Problem:
    """The problem in blocks if a kernel takes it so."""
    if not problem.formatted:
        return problem
    target = problem.in_format(native())
    return problem if find(op, target, devices.CPU, algorithm) is None else target


def _wrapped(op: Op, problem: Problem, made: Any) -> Any:
    names = [name for name in op.outs if name not in op.updates]
    outs = made if len(names) > 1 else (made,)
    found = tuple(
        Formatted(out, problem.plain_shape(name), problem.format)
        if problem.is_formatted(name)
        else out
        for name, out in zip(names, outs, strict=True)
    )
    return found if len(found) > 1 else found[0]


def _pointwise(run: Run, op: Op, problem: Problem, ins: tuple, options: dict[str, Any]) -> Any:
    """An op that does not care: on the data itself, in the first blocked value's format."""
    for name, x in zip(op.ins, ins, strict=True):
        if x.shape != ins[0].shape:
            raise ShapeError(f"{op.name}: {name} has shape {x.shape}, expected {ins[0].shape}")
    known = (x.format for x in ins if type(x) is Formatted)
    format = max(known, key=lambda name: family(name) == BLOCKED)
    given = [in_format(x, format) for x in ins]
    out = run(op, replace(problem, shape=given[0].shape), *given, **options)  # type: ignore[call-arg]
    return Formatted(out, ins[0].shape, format)


def in_format(x: Any, format: str) -> Any:
    """The bare data of a value, formatted or not, in this format."""
    if x is None:
        return None
    if type(x) is not Formatted:
        return x if format == NCHW else blocked(x, format)
    if x.format == format:
        return x.data
    planes = x.data if x.format == NCHW else plain(x.data, x.shape[1])
    return planes if format == NCHW else blocked(planes, format)


def bare(x: Any) -> Any:
    """A value as users see it: what is formatted in NCHW, all else as it is."""
    return in_format(x, NCHW) if type(x) is Formatted else x
