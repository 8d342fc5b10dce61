"""Where an array lives: its exact type says so.

``numpy.ndarray`` is on the CPU, ``cupy.ndarray`` on a CUDA GPU, ``EmulatedArray`` on the emulated
GPU, which runs the same CUDA sources on the CPU.
"""

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np

from .cpu import memory
from .cuda.arrays import adopt, adopt_dlpack, arch, gpu_of, is_cuda, to_cuda
from .cuda.arrays import empty as empty_cuda
from .cuda.driver import missing
from .emulator import available
from .emulator.array import EmulatedArray
from .errors import DeviceError


@dataclass(frozen=True)
class Device:
    """A place where kernels run: its kind names the backends that serve it.

    ``arch`` is a GPU's architecture ("sm_80"; "sm_90a" for compute capability 9.0), None where it
    is not known. The emulated GPU has none: it runs whatever a CPU can stand in for.
    """

    kind: str
    arch: str | None = None

    def __str__(self) -> str:
        return self.kind


CPU, CUDA, EMULATED = Device("cpu"), Device("cuda"), Device("emulated")
NAMES = ("cpu", "cuda", "emulated", "auto")


def _where(array: Any) -> Device | None:
    """The device whose arrays have the exact type of this one, or None."""
    kind = type(array)
    if kind is np.ndarray:
        return CPU
    if kind is EmulatedArray:
        return EMULATED
    return _gpu(arch(gpu_of(array))) if is_cuda(kind) else None


@cache
def _gpu(arch: str) -> Device:
    return Device("cuda", arch)


def of(array: object, op: str = "gpuconv", name: str = "array") -> Device:
    """The device of ``array`` by its exact type; raises DeviceError for anything else."""
    device = _where(array)
    if device is not None:
        return device
    kind = type(array)
    raise DeviceError(
        f"{op}: {name} is a {kind.__module__}.{kind.__qualname__}; expected a numpy.ndarray (wrap "
        "it with gpuconv.asarray or numpy.asarray), a cupy.ndarray or an emulated array"
    )


def asarray(array: Any, op: str = "asarray", name: str = "array") -> Any:
    """What another library made as an array of NumPy or CuPy, its memory shared and not copied.

    Takes what has ``__dlpack__`` (on the CPU or a CUDA GPU) or ``__cuda_array_interface__``; the
    arrays that gpuconv computes on are returned as they are. They have both protocols themselves,
    so that results go out the same way. Raises DeviceError for anything else, a foreign device, or
    what its library does not hand out.
    """
    if _where(array) is not None:
        return array
    if isinstance(array, np.memmap):
        return array.view(np.ndarray)
    if getattr(array, "requires_grad", False):
        raise DeviceError(
            f"{op}: {name} requires a gradient, which gpuconv would not pass on; give "
            f"{name}.detach(), or wrap the call (examples/torch_function.py)"
        )
    if not is_foreign(array):
        of(array, op, name)
    try:
        return _adopted(array)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise DeviceError(
            f"{op}: {name}, a {type(array).__module__}.{type(array).__qualname__}, cannot be "
            f"shared ({error}); copy it into a numpy.ndarray"
        ) from error


def is_foreign(array: Any) -> bool:
    """Whether this is another library's array that says how its memory is shared."""
    if isinstance(array, np.ndarray):  # a masked array's mask, say, would be lost on the way
        return False
    return hasattr(array, "__dlpack__") or hasattr(array, "__cuda_array_interface__")


_DLPACK_CPU, _DLPACK_CUDA = (1,), (2, 13)  # 13: managed memory


def _adopted(array: Any) -> Any:
    if not hasattr(array, "__dlpack__"):
        _require_cuda()
        return adopt(array)
    kind = int(array.__dlpack_device__()[0])
    if kind in _DLPACK_CPU:
        return np.from_dlpack(array)
    if kind not in _DLPACK_CUDA:
        raise BufferError(f"it lives on DLPack's device {kind}, expected the CPU or a CUDA GPU")
    _require_cuda()
    return adopt_dlpack(array)


def auto() -> tuple[Device, str]:
    """The fastest device that is here, and one line that says why it was taken."""
    reason = missing()
    if reason is not None:
        return CPU, f"cpu ({reason})"
    return _gpu(arch()), "cuda (a probe kernel ran)"


def get(name: "str | Device") -> Device:
    """The device of that name: "cpu", "cuda", "emulated" or "auto"; raises DeviceError."""
    if isinstance(name, Device):
        return name
    if name == "auto":
        return auto()[0]
    if name == "cuda":
        _require_cuda()
        return _gpu(arch())
    if name == "emulated":
        _require_emulator()
    elif name not in NAMES:
        raise DeviceError(f"unknown device {name!r}; expected one of {', '.join(NAMES)}")
    return Device(name)


def _require_cuda() -> None:
    reason = missing()
    if reason is not None:
        raise DeviceError(f"device 'cuda' is not available: {reason}; use 'cpu' or 'auto'")


def _require_emulator() -> None:
    here, reason = available()
    if not here:
        raise DeviceError(f"device 'emulated' is not available: {reason}; use 'cpu' or 'auto'")


def to_device(array: Any, device: "str | Device") -> Any:
    """``array`` on ``device``; the same object if it is there already, else a copy.

    What is no device's array (a list, a memory map) counts as the CPU's; another library's is taken
    as ``asarray`` takes it.
    """
    if _where(array) is None and is_foreign(array):
        array = asarray(array, "to_device")
    target, here = get(device), _where(array)
    if here is not None and here.kind == target.kind:
        return array
    host = np.asarray(array) if here is None else to_numpy(array)
    if target.kind == "cuda":
        return to_cuda(host)
    return host if target == CPU else host.copy().view(EmulatedArray)


def to_numpy(array: Any) -> np.ndarray:
    """``array`` as a numpy.ndarray on the CPU; raises DeviceError for what is no array."""
    here = of(array, "to_numpy")
    if here == CPU:
        return array
    if here == EMULATED:
        return np.array(array.view(np.ndarray))
    return array.get()


def empty(shape: tuple[int, ...], dtype: Any, device: Device) -> Any:
    """An uninitialised array on ``device``; raises DeviceError when memory runs out.

    On the emulated device it is filled with NaN (integers with -1), so that what a kernel does not
    write shows.
    """
    try:
        if device.kind == "cuda":
            return empty_cuda(shape, dtype)
        array = memory.empty(shape, dtype)
    except (MemoryError, ValueError) as error:  # ValueError: more than an address can hold
        raise DeviceError(_out_of_memory(shape, dtype, device, str(error))) from error
    if device == EMULATED:
        array.reshape(-1).view(np.uint8).fill(0xFF)
        return array.view(EmulatedArray)
    return array


def _out_of_memory(shape: tuple[int, ...], dtype: Any, device: Device, free: str) -> str:
    kind = np.dtype(dtype)
    known = f" ({free})" if free else ""
    return (
        f"out of memory on {device}: wanted {prod(shape) * kind.itemsize:,} bytes for {shape} "
        f"{kind}{known}; use a smaller batch, or cap the workspace with "
        "gpuconv.limits(max_workspace=...)"
    )
