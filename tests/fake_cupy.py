"""A CuPy that runs on the emulator: only what the real one has, so that anything else is noticed.

Attributes are CuPy 14's: flags know no ``writeable``, nothing becomes a NumPy array by itself, a
NumPy array is not assigned to a slice, and an element is an array without dimensions.
"""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_gpu import GOOD, pretend

from gpuconv import emulator
from gpuconv.cuda import compile as compiler
from gpuconv.cuda import streams
from gpuconv.cuda.libcuda import Driver
from gpuconv.emulator.array import EmulatedArray


class ndarray:
    """cupy.ndarray over memory of the CPU."""

    __module__ = "cupy"
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 100

    def __init__(self, host: np.ndarray, at: int = 0) -> None:
        self._host, self._at = host, at

    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    device = property(lambda self: FakeDevice(self._at))
    data = property(lambda self: SimpleNamespace(ptr=self._host.ctypes.data))

    @property
    def flags(self) -> Any:
        """CuPy's three flags."""
        of = self._host.flags
        return SimpleNamespace(
            c_contiguous=of.c_contiguous, f_contiguous=of.f_contiguous, owndata=of.owndata
        )

    def _with(self, host: Any) -> "ndarray":
        return ndarray(np.asarray(host), self._at)

    def __array__(self, *_: object, **__: object) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def get(self) -> np.ndarray:
        """A copy on the host."""
        return self._host.copy()

    def tobytes(self) -> bytes:
        """The bytes, in C order."""
        return self._host.tobytes()

    def copy(self) -> "ndarray":
        """A copy in C order."""
        return self._with(self._host.copy())

    def reshape(self, *shape: Any) -> "ndarray":
        """Another shape, a view where it can be."""
        return self._with(self._host.reshape(*shape))

    def view(self, dtype: Any) -> "ndarray":
        """The same memory as another dtype."""
        return self._with(self._host.view(dtype))

    def astype(self, dtype: Any) -> "ndarray":
        """A copy in another dtype."""
        return self._with(self._host.astype(dtype))

    def __len__(self) -> int:
        return len(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __getitem__(self, key: Any) -> "ndarray":
        whole = key if isinstance(key, tuple) else (key,)
        return self._with(self._host[whole if Ellipsis in whole else (*whole, Ellipsis)])

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray):
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        self._host[key] = value._host if isinstance(value, ndarray) else value


class FakeDevice:
    """cupy.cuda.Device; ``current`` is the one in use, ``capabilities`` has one for each GPU.

    There is no GPU of 9.9: what a kernel keeps for that architecture is not in a real one's way.
    """

    current, capabilities = 0, ("99",)
    mem_info = (1, 2)

    def __init__(self, number: int | None = None) -> None:
        self.id = FakeDevice.current if number is None else number

    @property
    def compute_capability(self) -> str:
        """ "90" for 9.0."""
        return self.capabilities[self.id]

    def use(self) -> None:
        """Make it the current one."""
        FakeDevice.current = self.id


class FakeEvent:
    """cupy.cuda.Event, of a device that has always finished."""

    def record(self, stream: object = None) -> None:
        """Nothing to wait for."""

    def synchronize(self) -> None:
        """Nothing to wait for."""


class FakeModule:
    """cupy.RawModule of what ``built`` wrote in a cubin's place; notes who loaded what."""

    loaded: "list[tuple[int, str]]"
    allocators: list[None]

    def __init__(self, *, path: str) -> None:
        arch, *described = json.loads(Path(path).read_text())
        self.module = emulator.Module(*described)
        FakeModule.loaded.append((FakeDevice.current, arch))

    @classmethod
    def set_allocator(cls, allocator: None) -> None:
        """Note it."""
        cls.allocators.append(allocator)

    def get_function(self, name: str) -> Any:
        """The kernel, called as CuPy calls it."""
        function = self.module.function(name)

        def launch(grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0) -> None:
            function(grid, block, tuple(map(_emulated, args)), shared_mem)

        return launch


def _emulated(argument: Any) -> Any:
    if isinstance(argument, ndarray):
        return argument._host.view(EmulatedArray)
    assert isinstance(argument, np.generic), f"CuPy would send {argument!r} as 64 bits"
    return argument


def probe(array: ndarray) -> None:
    """What the probe kernel computes."""
    array._host[...] = np.arange(1, 1 + array.size)


def cupy() -> ModuleType:
    """The module."""
    made: Any = ModuleType("cupy")
    here = lambda host: ndarray(host, FakeDevice.current)  # noqa: E731
    made.ndarray, made.RawModule = ndarray, FakeModule
    made.asarray = lambda host: here(np.array(host, order="K"))
    made.empty = lambda shape, dtype: here(np.empty(shape, dtype))
    made.zeros = lambda shape, dtype: here(np.zeros(shape, dtype))
    made.RawKernel = lambda code, name: lambda grid, block, args: probe(args[0])
    made.cuda = SimpleNamespace(
        Device=FakeDevice, Event=FakeEvent, get_elapsed_time=lambda a, b: 1.0,
        set_allocator=FakeModule.set_allocator,
        runtime=SimpleNamespace(
            runtimeGetVersion=lambda: 13020, getDevice=lambda: FakeDevice.current
        ),
        memory=SimpleNamespace(OutOfMemoryError=type("OutOfMemoryError", (MemoryError,), {})),
    )  # fmt: skip
    return made


def pretend_cuda(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    says: Driver = GOOD,
    capabilities: tuple[str, ...] = ("99",),
) -> None:
    """A machine with GPUs of these compute capabilities, whose kernels the emulator runs."""

    def built(source: Any, macros: dict[str, str], arch: str) -> Path:
        made, folders = folder / "kernel.cubin", list(map(str, source.include))
        made.write_text(json.dumps([arch, str(source.path), macros, folders]))
        return made

    pretend(monkeypatch, says, cupy())
    monkeypatch.setattr(streams, "missing", lambda: None)
    monkeypatch.setattr(
        compiler, "nvrtc", lambda: (SimpleNamespace(nvrtcVersion=lambda: (0, 13, 0)), None)
    )
    monkeypatch.setattr(compiler, "cubin_file", built)
    monkeypatch.setattr(FakeDevice, "capabilities", capabilities)
    monkeypatch.setattr(FakeDevice, "current", 0)
    monkeypatch.setattr(FakeModule, "loaded", [], raising=False)
    monkeypatch.setattr(FakeModule, "allocators", [], raising=False)
