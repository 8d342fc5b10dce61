"""Which device a command runs on, said in one line."""

from .. import device as devices
from ._app import out


def resolve(name: str, *, quiet: bool = False) -> str:
    """The device's kind; prints what was taken and why. Raises DeviceError if it is not here."""
    chosen = devices.get(name)
    why = devices.auto()[1] if name == "auto" else f"{chosen} (as asked)"
    if not quiet:
        out.print(f"device: {why}")
    return chosen.kind
