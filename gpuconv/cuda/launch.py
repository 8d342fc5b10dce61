"""Launching: the device is where the array arguments live."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import device as devices
from ..device import Device
from ..errors import DeviceError
from .arguments import check_arguments

if TYPE_CHECKING:
    from .source import Source

BLOCK = 256
MAX_BLOCKS = 1 << 16
Dim = tuple[int, ...]


def grid_for(threads: int, block: int = BLOCK) -> Dim:
    """Blocks that give each of ``threads`` items a thread, capped: kernels stride over the rest."""
    return (max(1, min(-(-threads // block), MAX_BLOCKS)),)


def index_type(*counts: int) -> str:
    """The C++ type of an index below all ``counts``, a grid's stride beyond included."""
    return "int" if max(counts, default=0) < 2**31 - BLOCK * MAX_BLOCKS else "long long"


class Function:
    """One entry of a source with its macros; compiled for a device when it is first launched."""

    def __init__(self, source: "Source", entry: str, macros: dict[str, str]) -> None:
        self.source, self.entry, self.macros = source, entry, macros
        self._compiled: dict[Any, Any] = {}

    def __call__(self, grid: Dim, block: Dim, args: Sequence[Any], shared_mem: int = 0) -> None:
        """Launch on the device that the array arguments live on, the same call as CuPy's.

        Raises a typed error, before anything runs, if the arguments do not fit the entry's
        parameters or live on no GPU; KernelError if the source does not compile.
        """
        check_arguments(self.entry, self.source.entries[self.entry], self.macros, args)
        arrays = [a for a in args if not isinstance(a, np.generic)]
        found = {devices.of(a, self.entry) for a in arrays}
        if len(found) != 1 or devices.CPU in found:
            kinds = ", ".join(sorted(map(str, found))) or "no device"
            raise DeviceError(f"{self.entry}: its arrays live on {kinds}; expected one GPU")
        if 0 not in grid:
            self._on(found.pop())(grid, block, tuple(args), shared_mem=shared_mem)

    def _on(self, device: Device) -> Any:
        if device == devices.EMULATED:
            return self._emulated()
        from .compile import load

        key = device.kind
        if key not in self._compiled:
            self._compiled[key] = load(self.source, self.entry, self.macros)
        return self._compiled[key]

    def _emulated(self) -> Any:
        from .. import emulator

        options = emulator.current_options()
        if options.mode not in self._compiled:
            module = emulator.Module(
                self.source.path, self.macros, list(self.source.include), options.mode
            )
            self._compiled[options.mode] = module.function(self.entry)
        function = self._compiled[options.mode]
        return lambda grid, block, args, shared_mem: function(
            grid, block, args, shared_mem, order=options.order, seed=options.seed
        )
