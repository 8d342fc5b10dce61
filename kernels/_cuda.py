"""What the CUDA launchers share: types by macro, grids, scalars and structs of the right width."""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from gpuconv.cuda import Source, aligned, grid_for, pack
from gpuconv.cuda.launch import BLOCK, index_type
from gpuconv.device import Device
from gpuconv.problem import Problem

LANES = 32  # threads of a warp
VECTOR_BYTES = 16  # of vectors.cuh's Vector
PARTIALS = 1024  # blocks that share a sum, at most: one block adds up what they leave
TYPES = {"float32": "float", "float64": "double"}


class Launcher:
    """Launches a source's entries for one problem, in its dtype.

    An index has 32 bits unless an array, or one of the ``counts``, has more elements than that
    reaches; a count is any other bound of an index that the kernel works out. ``macros`` are the
    source's own, beside REAL, INDEX and BLOCK: each set of them is compiled apart. BLOCK, the
    threads of a block, may be among them.
    """

    def __init__(self, source: Source, problem: Problem, *counts: int, **macros: object) -> None:
        shapes = problem.shapes().values()
        self._source, self._real = source, np.dtype(problem.dtype).type
        index = index_type(*map(prod, shapes), *counts)
        self._macros = {"REAL": TYPES[problem.dtype], "INDEX": index, "BLOCK": BLOCK, **macros}
        self._block = int(str(self._macros["BLOCK"]))
        self._index: Any = np.int64 if index == "long long" else np.int32

    def blocks(self, entry: str, count: int, *args: Any, shared: int = 0) -> None:
        """Launch ``count`` blocks with ``shared`` bytes of dynamic shared memory each."""
        function = self._source.function(entry, **self._macros)
        function((count,), (self._block,), args, shared_mem=shared)

    def each(self, entry: str, count: int, *args: Any) -> None:
        """Launch a thread for each of ``count`` items; the count is the entry's last argument."""
        self._stride(entry, count, self._block, args)

    def each_warp(self, entry: str, count: int, *args: Any) -> None:
        """Launch a warp for each of ``count`` items, as ``each`` does a thread."""
        self._stride(entry, count, self._block // LANES, args)

    def each_block(self, entry: str, count: int, *args: Any, shared: int = 0) -> None:
        """Launch a block for each of ``count`` items, as ``each`` does a thread."""
        self._stride(entry, count, 1, args, shared)

    def each_vector(self, entry: str, arrays: Sequence[Any], *args: Any) -> None:
        """Launch a thread for each 16 bytes of ``arrays``, which have one size.

        The entry's last arguments are how many whole vectors there are, and the size. Where an
        array does not start on 16 bytes there are none, and a thread for each element.
        """
        count, width = arrays[0].size, VECTOR_BYTES // arrays[0].itemsize
        vectors = count // width if aligned(arrays, VECTOR_BYTES) else 0
        if count:
            (blocks,) = grid_for(max(vectors, count - vectors * width))
            counts = self.index(vectors), self.index(count)
            self.blocks(entry, blocks, *arrays, *args, *counts)

    def _stride(
        self, entry: str, count: int, per_block: int, args: Iterable[Any], shared: int = 0
    ) -> None:
        if count:
            (blocks,) = grid_for(count, per_block)
            self.blocks(entry, blocks, *args, self.index(count), shared=shared)

    def index(self, value: int) -> Any:
        """``value`` as the kernel's INDEX."""
        return self._index(value)

    def real(self, value: float) -> Any:
        """``value`` as the kernel's REAL."""
        return self._real(value)

    def struct(self, **fields: int) -> Any:
        """A struct of INDEX fields, in the order that common.cuh declares them in."""
        return pack(fields, tuple(fields) if self._index is np.int64 else ())


def typed(work: Any, problem: Problem) -> Any:
    """The workspace as an array of the problem's dtype."""
    return work.view(problem.dtype)


def nbytes(problem: Problem, count: int) -> int:
    """Bytes of ``count`` elements."""
    return count * np.dtype(problem.dtype).itemsize


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def partials(count: int) -> int:
    """Blocks that share a sum of ``count`` terms, at least one."""
    return max(1, min(ceil_div(count, BLOCK), PARTIALS))


def refuses_epilogue(problem: Problem, device: Device) -> str | None:
    """An epilogue that is neither none nor ReLU."""
    known = problem.epilogue in ("", "relu")
    return None if known else f"knows no epilogue {problem.epilogue!r}"
