"""Which kernels a test can run, and where."""

from typing import Any

import pytest

from gpuconv import registry

MARKS = {"cuda": [pytest.mark.gpu], "emulated": [pytest.mark.emulated]}


def marks(kernel: registry.Kernel, kind: str) -> list[Any]:
    """The marks of a test that runs ``kernel`` on this kind of device."""
    language = [pytest.mark.numba_cuda] if kernel.backend == "numba_cuda" else []
    return MARKS.get(kind, []) + language


def on_cpu(op: registry.Op | str) -> list[registry.Kernel]:
    """The kernels that take NumPy arrays of float32 and of float64."""
    found = registry.get_op(op) if isinstance(op, str) else op
    return [k for k in found.kernels() if "cpu" in k.devices and "fp64" in k.precisions]


def everywhere(op: str) -> list[Any]:
    """((kernel, kind),) for every kernel and kind of device it runs on, with its marks."""
    return [
        pytest.param((kernel, kind), id=f"{op}[{kernel.name}]-{kind}", marks=marks(kernel, kind))
        for kernel in registry.get_op(op).kernels()
        for kind in kernel.devices
    ]
