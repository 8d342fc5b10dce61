"""The door to Numba-CUDA: what a launch refuses, what importing costs, what happens without it."""

import inspect
import subprocess
import sys
from importlib import import_module, metadata
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from house_rules import ROOT

from gpuconv import device, emulator, kernel_files, registry
from gpuconv.errors import DeviceError, DtypeError, KernelError

pytestmark = [pytest.mark.numba_cuda, pytest.mark.emulated]
FILES = sorted((ROOT / "kernels").glob("*/numba_cuda_*.py"))


@pytest.fixture
def door():
    return import_module("gpuconv.cuda.numba")


@pytest.fixture
def gpu():
    return import_module("gpuconv.cuda.numba_gpu")


@pytest.fixture
def in_place():
    return import_module("numba_correct").in_place


def emulated(array):
    return device.to_device(array, "emulated")


def python(code, *options):
    """What a fresh interpreter prints."""
    command = [sys.executable, "-W", "error", *options, "-c", inspect.cleandoc(code)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_kernel_file_is_loaded(path):
    op = next(
        o for o in registry.ops().values() if o.family == f"gpuconv.kernels.{path.parent.name}"
    )
    module = f"{op.family}.{path.stem}"
    op.kernels()
    assert module not in kernel_files.MISSING
    assert module in sys.modules


def test_they_never_come_before_cuda_cpp():
    for op in registry.ops().values():
        by_backend = {"cuda": [], "numba_cuda": []}
        for kernel in op.kernels():
            by_backend.get(kernel.backend, []).append(kernel)
        for problem in op.cases() if by_backend["cuda"] else ():
            chosen = registry.choose(op, problem, device.EMULATED)
            assert chosen.backend == "cuda", (op.name, problem)


# Launching


def test_a_launch_runs_where_the_arrays_are(door, in_place):
    x = emulated(np.arange(12.0).reshape(3, 4))
    door.launch(in_place, (3,), (4,), (x,))
    assert device.to_numpy(x)[2].tolist() == [16, 18, 20, 22]
    door.launch(in_place, (0,), (4,), (x,))
    assert device.to_numpy(x)[2, 0] == 16


@pytest.mark.parametrize("order", emulator.ORDERS)
def test_a_launch_runs_as_the_options_say(door, order):
    arrivals = import_module("numba_correct").arrivals
    y = emulated(np.zeros(64, np.int32))
    with emulator.options(mode="check", order=order, seed=4):
        door.launch(arrivals, (1,), (64,), (y, emulated(np.zeros(1, np.int32))))
    found = device.to_numpy(y).tolist()
    assert (found == sorted(found)) == (order == "ascending")
    assert (found == sorted(found)[::-1]) == (order == "descending")


def test_what_a_launch_refuses(door, in_place):
    x = np.zeros((3, 4))
    with pytest.raises(DeviceError, match="in_place: its arrays live on cpu; expected one GPU"):
        door.launch(in_place, (3,), (4,), (x,))
    with pytest.raises(DeviceError, match="in_place: its arrays live on cpu, emulated; expected"):
        door.launch(in_place, (3,), (4,), (x, emulated(x)))
    with pytest.raises(DeviceError, match="in_place: its arrays live on no device"):
        door.launch(in_place, (3,), (4,), (np.float32(1),))
    with pytest.raises(DtypeError, match=r"in_place: the Python number 0.5 would be sent as 64 bi"):
        door.launch(in_place, (3,), (4,), (emulated(x), 0.5))


def test_a_kernel_is_not_called(in_place):
    with pytest.raises(KernelError, match=r"in_place: launch\(\) runs a kernel; a device function"):
        in_place(np.zeros(3))


def test_names_of_kernels_are_for_kernels(door):
    with pytest.raises(AttributeError, match=r"cuda.syncthreads is there for kernels only"):
        door.cuda.syncthreads()


def test_on_a_gpu_it_goes_to_numba_on_cupys_stream(gpu, monkeypatch):
    """No copy, no waiting, and the stream that CuPy's other work is on."""
    calls, handle = [], {"shape": (3,), "typestr": "<f4", "data": (64, False), "version": 3}
    array = SimpleNamespace(__cuda_array_interface__=handle)
    stream = SimpleNamespace(ptr=77)
    cupy = ModuleType("cupy")
    cupy.cuda = SimpleNamespace(get_current_stream=lambda: stream)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    numba = SimpleNamespace(
        external_stream=lambda at: ("stream", at),
        from_cuda_array_interface=lambda described, owner, sync: (described, owner, sync),
    )
    monkeypatch.setattr(gpu, "numba_cuda", lambda: numba)

    class Kernel:
        def __getitem__(self, where):
            return lambda *args: calls.append((where, args))

    gpu.launch(Kernel(), (2,), (32,), (array, 5, np.float32(2)))
    stream.ptr = 0
    gpu.launch(Kernel(), (2,), (32,), (array,))
    taken = (handle, array, False)
    assert calls == [
        (((2,), (32,), ("stream", 77)), (taken, 5, np.float32(2))),
        (((2,), (32,), 0), (taken,)),
    ]


def test_numba_does_not_warn_of_small_grids(gpu):
    rectify = import_module("gpuconv.kernels.relu.numba_cuda_direct").rectify
    with gpu._few_blocks_are_fine():
        rectify.compiled[(2,), (32,)]
    with pytest.warns(Warning, match="Grid size 3 will likely"):
        rectify.compiled[(3,), (32,)]


# Importing


def test_simulating_loads_no_numba():
    code = """
        import sys
        import numpy as np
        import gpuconv as gcv
        x = gcv.to_device(np.array([-1, 2], "float32"), "emulated")
        print(gcv.to_numpy(gcv.ops.relu(x, algorithm="numba_cuda:direct")))
        print({"numba", "cupy"} & set(sys.modules))
    """
    assert python(code) == ["[0. 2.]", "set()"]


def test_without_the_package_the_kernels_are_named_as_missing():
    code = """
        import sys
        sys.modules["numba_cuda"] = None
        import numpy as np
        import gpuconv as gcv
        from gpuconv import kernel_files, registry
        x = gcv.to_device(np.array([-1, 2], "float32"), "emulated")
        print(gcv.to_numpy(gcv.ops.relu(x)))
        try:
            gcv.ops.relu(x, algorithm="numba_cuda:direct")
        except gcv.errors.KernelError as error:
            print(error)
        for op in registry.ops().values():
            assert not [k for k in op.kernels() if k.backend == "numba_cuda"]
        print(set(kernel_files.MISSING.values()), len(kernel_files.MISSING))
    """
    relu, error, missing = python(code)
    assert relu == "[0. 2.]"
    assert "no kernel named 'numba_cuda:direct' on emulated; registered: cuda:direct" in error
    assert "(not loaded: gpuconv.kernels.relu.numba_cuda_direct needs numba-cuda)" in error
    assert missing == f"{{'numba-cuda'}} {len(FILES)}"


# NumPy 2.5 without row_stack

WITHOUT = """
    import numpy as np
    if hasattr(np, "row_stack"):
        del np.row_stack
    from gpuconv.cuda import numba_gpu
"""


def test_numba_cuda_loads_with_a_numpy_that_has_no_row_stack():
    code = """
        numba_gpu.numba_cuda()
        import numba.cuda.np.npyimpl
        print(hasattr(np, "row_stack"))
    """
    assert python(inspect.cleandoc(WITHOUT) + "\n" + inspect.cleandoc(code)) == ["False"]


def test_numba_cuda_still_needs_row_stack():
    """When this fails, numba-cuda loads without it: take ``_row_stack`` out of numba_gpu.py."""
    (file,) = (p for p in metadata.files("numba-cuda") if p.match("numba/cuda/np/arrayobj.py"))
    assert "overload(np.row_stack)" in file.read_text()
