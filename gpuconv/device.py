"""Where an array lives: its type says so. NumPy arrays are on the CPU."""

from dataclasses import dataclass

import numpy as np

from .errors import DeviceError


@dataclass(frozen=True)
class Device:
    """A place where kernels run: its kind names the backends that serve it."""

    kind: str

    def __str__(self) -> str:
        return self.kind


CPU = Device("cpu")
NAMES = ("cpu", "cuda", "emulated", "auto")


def of(array: object, op: str = "gpuconv", name: str = "array") -> Device:
    """The device of ``array`` by its exact type; raises DeviceError for anything else."""
    if type(array) is np.ndarray:
        return CPU
    kind = f"{type(array).__module__}.{type(array).__qualname__}"
    raise DeviceError(
        f"{op}: {name} is a {kind}; expected a numpy.ndarray (wrap it with numpy.asarray)"
    )


def auto() -> tuple[Device, str]:
    """The fastest device that is here, and one line that says why it was taken."""
    return CPU, "cpu (this version of gpuconv has no CUDA kernels yet)"


def get(name: "str | Device") -> Device:
    """The device of that name: "cpu", "cuda", "emulated" or "auto"; raises DeviceError."""
    if isinstance(name, Device):
        return name
    if name == "auto":
        return auto()[0]
    if name == "cpu":
        return CPU
    if name in NAMES:
        raise DeviceError(
            f"device {name!r} is not available: this version of gpuconv has no CUDA kernels yet; "
            "use 'cpu' or 'auto'"
        )
    raise DeviceError(f"unknown device {name!r}; expected one of {', '.join(NAMES)}")


def to_device(array: object, device: "str | Device") -> np.ndarray:
    """``array`` on ``device``; the same object if it is there already."""
    get(device)
    return array if type(array) is np.ndarray else np.asarray(array)


def to_numpy(array: object) -> np.ndarray:
    """``array`` as a numpy.ndarray on the CPU."""
    of(array, "to_numpy")
    return array  # type: ignore[return-value]


def empty(shape: tuple[int, ...], dtype: object, device: Device) -> np.ndarray:
    """An uninitialised array on ``device``; raises DeviceError when memory runs out."""
    try:
        return np.empty(shape, dtype)  # type: ignore[call-overload]
    except MemoryError:
        count = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize  # type: ignore[call-overload]
        raise DeviceError(
            f"out of memory on {device}: wanted {count:,} bytes for {shape} {np.dtype(dtype)}; "  # type: ignore[call-overload]
            "use a smaller batch or cap the workspace with gpuconv.limits(max_workspace=...)"
        ) from None
