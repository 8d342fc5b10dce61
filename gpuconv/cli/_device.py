"""Which device and which kernels a command runs on."""

from .. import device as devices
from .. import registry
from ..errors import KernelError, OptionError
from ._app import out

DEVICES = (
    "cpu, cuda, emulated (the CUDA kernels without a GPU: slow, for looking), or auto: the fastest "
    "that is here"
)


def resolve(name: str, *, quiet: bool = False) -> str:
    """The device's kind; prints what was taken and why. Raises DeviceError if it is not here."""
    chosen = devices.get(name)
    why = devices.auto()[1] if name == "auto" else f"{chosen} (as asked)"
    if not quiet:
        out.print(f"device: {why}")
    return chosen.kind


def plan(text: str | None, device: str) -> dict[str, str]:
    """``op=kernel,...`` as a plan; raises OptionError or KernelError naming what is unknown."""
    chosen: dict[str, str] = {}
    for entry in filter(None, (text or "").split(",")):
        name, found, kernel = entry.partition("=")
        if not found or not kernel:
            raise OptionError(f"--algorithm {entry}: expected op=kernel, as conv2d=numpy:direct")
        here = [k for k in registry.get_op(name).kernels() if device in k.devices]
        if kernel not in {word for k in here for word in (k.name, k.algorithm)}:
            listed = ", ".join(k.name for k in here) or "none"
            raise KernelError(f"--algorithm {entry}: no such kernel on {device}; it has {listed}")
        chosen[name] = kernel
    return chosen
