"""Launching: the device is where the array arguments live."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import emulator
from ..emulator.array import EmulatedArray
from ..errors import DeviceError
from .arguments import check_arguments
from .arrays import arch, current, gpu_of, is_cuda
from .recording import Launch, recorded

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
        places = {place(type(a)) for a in args if not isinstance(a, np.generic)}
        if len(places) != 1 or "cpu" in places:
            listed = ", ".join(sorted(places)) or "no device"
            raise DeviceError(f"{self.entry}: its arrays live on {listed}; expected one GPU")
        if 0 not in grid and not recorded(Launch(self, grid, block, tuple(args), shared_mem)):
            function = self._emulated() if "emulated" in places else self._cuda(args)
            function(grid, block, tuple(args), shared_mem=shared_mem)

    def _cuda(self, args: Sequence[Any]) -> Any:
        from .compile import load

        require_current(self.entry, args)
        if (here := arch()) not in self._compiled:  # another GPU may be of another architecture
            self._compiled[here] = load(self.source, self.entry, self.macros, here)
        return self._compiled[here]

    def _emulated(self) -> Any:
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


def require_current(entry: str, args: Sequence[Any]) -> None:
    """Raise DeviceError for arrays of another GPU than the current one, which would launch."""
    here = current()
    for at in (gpu_of(a) for a in args if is_cuda(type(a))):
        if at != here:
            raise DeviceError(
                f"{entry}: its arrays live on GPU {at}, but GPU {here} is the current one; launch "
                f"inside 'with cupy.cuda.Device({at}):'"
            )


def place(kind: type) -> str:
    """Where arrays of this type live: "cuda", "emulated", or "cpu"."""
    if kind is EmulatedArray:
        return "emulated"
    return "cuda" if is_cuda(kind) else "cpu"
