"""Every Numba-CUDA kernel compiles to PTX for GPUs old and new, without a GPU.

The simulator runs Python that Numba may refuse; this is what notices. What is compiled is what the
kernels launch on the battery's cases, with the types that Numba gives those arguments.
"""

import re
from functools import cache
from importlib import import_module

import numpy as np
import pytest

from gpuconv import battery, device, registry

pytestmark = pytest.mark.numba_cuda
KNOWN = [
    (op, kernel)
    for op in registry.ops().values()
    for kernel in op.kernels()
    if kernel.backend == "numba_cuda"
]
NAMES = [f"{op.name}-{kernel.algorithm}" for op, kernel in KNOWN]


@cache
def why_not():
    """The reason why nothing can be compiled here, or None."""
    gpu, numba = import_module("gpuconv.cuda.numba_gpu"), import_module("numba")
    rectify = import_module("gpuconv.kernels.relu.numba_cuda_direct").rectify
    try:
        gpu.compile_ptx(rectify, [numba.types.float32[::1]] * 2, (9, 0))
    except Exception as error:
        if type(error).__name__ in ("NvvmSupportError", "DynamicLibNotFoundError"):
            return f"{type(error).__name__}: {error}"
        raise
    return None


@pytest.fixture
def compile_ptx():
    if reason := why_not():
        pytest.skip(f"needs NVVM and NVRTC: {reason}")
    return import_module("gpuconv.cuda.numba_gpu").compile_ptx


@pytest.fixture
def launched(monkeypatch):
    """Which (kernel, types) the kernels of an op launch on its cases, nothing being run."""
    shared, typeof = import_module("gpuconv.kernels._numba_cuda"), import_module("numba").typeof

    def type_of(value):
        return typeof(np.asarray(value) if isinstance(value, np.ndarray) else value)

    def run(op, kernel, dtype):
        seen = {}

        def note(function, grid, block, args):
            seen[function, tuple(map(type_of, args))] = None

        monkeypatch.setattr(shared, "launch", note)
        for problem in (p.astype(dtype) for p in op.cases()):
            for optional in battery.variants(op):
                ins = [
                    a if a is None else device.to_device(a, device.EMULATED)
                    for a in battery.draw(op, problem, optional=optional)
                ]
                outs = [device.empty(*problem.spec(name), device.EMULATED) for name in op.outs]
                size = kernel.workspace(problem, device.EMULATED)
                work = device.empty((size,), "uint8", device.EMULATED) if size else None
                kernel.run(tuple(outs), tuple(ins), problem, work)
        return list(seen)

    return run


def compiles(compile_ptx, launched, op, kernel, dtype, capability):
    found = launched(op, kernel, dtype)
    assert found
    for function, types in found:
        ptx = compile_ptx(function, types, capability)
        assert f".target sm_{capability[0]}{capability[1]}\n" in ptx
        assert ".visible .entry" in ptx
        assert ".local " not in ptx, f"{function.__name__}: a tuple or array in slow local memory"
        wide = dtype == "float32" and re.search(r"\.f64\b", ptx)
        assert not wide, f"{function.__name__}: 64-bit arithmetic for float32"


every_kernel = pytest.mark.parametrize(("op", "kernel"), KNOWN, ids=NAMES)


@every_kernel
def test_kernels_compile(compile_ptx, launched, op, kernel):
    compiles(compile_ptx, launched, op, kernel, "float32", (9, 0))


@pytest.mark.slow
@every_kernel
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_compile_for_an_old_gpu(compile_ptx, launched, op, kernel, dtype):
    compiles(compile_ptx, launched, op, kernel, dtype, (7, 5))


@pytest.mark.slow
@every_kernel
def test_kernels_compile_in_double(compile_ptx, launched, op, kernel):
    compiles(compile_ptx, launched, op, kernel, "float64", (9, 0))


def test_what_numba_refuses_is_noticed(compile_ptx):
    """The simulator runs it; Numba has no such function."""
    cuda, types = import_module("gpuconv.cuda.numba").cuda, import_module("numba").types

    @cuda.jit
    def reads(y):
        y[0] = len(globals())

    with pytest.raises(Exception, match="Untyped global name 'globals'"):
        compile_ptx(reads, [types.float32[::1]], (9, 0))


def test_double_precision_is_noticed(compile_ptx):
    """A literal is 64 bits wide in Numba, and all that it meets."""
    cuda, types = import_module("gpuconv.cuda.numba").cuda, import_module("numba").types

    @cuda.jit
    def tenth(y):
        y[0] = 0.1 * y[0]

    assert ".f64" in compile_ptx(tenth, [types.float32[::1]], (9, 0))
