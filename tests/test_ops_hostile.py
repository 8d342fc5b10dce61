"""What no caller should give an op: every op of the package refuses it before it writes."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from gpuconv import layers, ops, registry
from gpuconv.battery import draw
from gpuconv.errors import (
    DeviceError,
    DtypeError,
    GpuconvError,
    KernelError,
    OptionError,
    ShapeError,
)
from gpuconv.ops._call import call
from gpuconv.registry import Op

X = np.ones((1, 1, 4, 4), "float32")
PLANE = np.ones((1, 1, 2, 2), "float32")


def arrays(op: Op) -> tuple[Any, list[Any]]:
    """The first case that has elements, and its test inputs."""
    problem = next(p for p in op.cases() if all(np.prod(s) for s in p.shapes().values()))
    return problem, draw(op, problem)


def run(op: Op, problem: Any, values: list[Any]) -> Any:
    """Call the op as its function does, the last of ``values`` its updates."""
    count = len(op.ins)
    return call(op, problem, *values[:count], updates=tuple(values[count:]))


def spoiled(op: Op, spoil: Callable, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every call with one of the arrays ``names`` spoiled."""
    problem, values = arrays(op)
    for number, name in enumerate((*op.ins, *op.updates)):
        if name in names:
            given = [spoil(v) if i == number else v.copy() for i, v in enumerate(values)]
            yield name, lambda given=given: run(op, problem, given)


def other_byte_order(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


every_op = pytest.mark.parametrize("op", registry.ops().values(), ids=registry.ops())


@every_op
def test_bytes_in_the_other_order_are_refused(op):
    for name, attempt in spoiled(op, other_byte_order, (*op.ins, *op.updates)):
        with pytest.raises(DtypeError, match=rf"{op.name}: {name.rstrip('?')} is [<>]"):
            attempt()


@every_op
def test_a_read_only_array_is_read_but_not_updated(op):
    for _, attempt in spoiled(op, read_only, op.ins):
        attempt()
    for name, attempt in spoiled(op, read_only, op.updates):
        with pytest.raises(OptionError, match=f"{name.rstrip('?')} is updated in place but read-"):
            attempt()


def test_the_other_byte_order_is_told_to_a_caller_of_a_function():
    with pytest.raises(DtypeError, match=r"relu_backward: y is [<>]f4; expected float32 or"):
        ops.relu_backward(X, other_byte_order(X))
    with pytest.raises(DtypeError, match=r"linear_weight: x is [<>]f8; expected"):
        ops.linear_weight(other_byte_order(np.ones((2, 3))), np.ones((2, 3)))


@pytest.mark.parametrize(
    ("attempt", "kind", "words"),
    [
        (
            lambda: ops.conv2d_weight([1.0], X, (1, 1, 3, 3)),
            GpuconvError,
            "conv2d_weight: x is a builtins.list",
        ),
        (lambda: ops.add([1.0], X), DeviceError, "add: a is a builtins.list"),
        (lambda: ops.copy(None), DeviceError, "copy: x is a builtins.NoneType"),
        (lambda: layers.Flatten()([[1.0]]), DeviceError, "flatten: x is a builtins.list"),
        (lambda: ops.pad(X, ((10**9, 0),) * 4), DeviceError, "out of memory on cpu: wanted"),
        (lambda: ops.relu(X, algorithm=["masked"]), OptionError, "relu: algorithm must be a"),
        (lambda: ops.relu(X, algorithm="mask"), KernelError, "no kernel named 'mask'"),
        (lambda: ops.pad(X, ((0, 0),) * 4, None), OptionError, "pad: value must be a number"),
        (lambda: ops.zeros(5), OptionError, "zeros: shape must be a tuple of sizes, got 5"),
        (lambda: ops.concat(X), OptionError, "concat: expected a list of arrays, got a ndarray"),
        (lambda: ops.concat(iter([X])), OptionError, "concat: expected a list of"),
        (lambda: ops.concat_backward(X, 1), OptionError, "concat_backward: sizes must be a list"),
        (
            lambda: ops.max_pool2d_backward(PLANE, PLANE.astype("int32"), 7, 2),
            ShapeError,
            "max_pool2d_backward: the input has shape 7; expected 4 dimensions",
        ),
        (
            lambda: ops.avg_pool2d_backward(PLANE, (1, 1, 4.0, 4.0), 2),
            ShapeError,
            r"avg_pool2d_backward: the input has shape \(1, 1, 4.0, 4.0\); expected 4",
        ),
        (
            lambda: ops.global_avg_pool2d_backward(PLANE, None),
            ShapeError,
            "global_avg_pool2d_backward: the input has shape None",
        ),
        (
            lambda: ops.adaptive_avg_pool2d_backward(PLANE, 4, 2),
            ShapeError,
            "adaptive_avg_pool2d_backward: the input has shape 4",
        ),
        (
            lambda: ops.adam(*np.ones((4, 3), "float32"), 0.1, 1, betas=0.9),
            OptionError,
            r"adam: betas\[0\] must be a finite number",
        ),
    ],
)
def test_what_is_no_array_no_shape_or_no_name(attempt, kind, words):
    with pytest.raises(kind, match=words):
        attempt()
