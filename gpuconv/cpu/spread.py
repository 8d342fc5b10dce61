"""The one loop around every pointwise tile: pieces of flat arrays, spread over the threads."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from . import crew, native, recording, threads
from .pool import pool

ARRAYS = 7  # ins and outs, which move from piece to piece; the scalars behind them do not
BYTES = 4  # of an element


def _pieces(w: Any) -> None:
    """pieces(fields, i): one piece of every array."""
    build, (fields, i) = w.build, w.given
    words = build.inttoptr(fields, crew.I64.as_pointer())

    def word(number: int) -> Any:
        return build.load(build.gep(words, [ir.Constant(crew.I64, number)]))

    tile, *arrays, scalars, size, piece = (word(n) for n in range(ARRAYS + 4))
    first = build.mul(i, piece)
    at = build.mul(first, ir.Constant(crew.I64, BYTES))
    rest = build.sub(size, first)
    count = build.select(build.icmp_signed("<", rest, piece), rest, piece)
    w.ask(tile, *(build.add(array, at) for array in arrays), scalars, first, count)
    build.ret(ir.Constant(crew.I64, 0))


PIECES = crew.Part("pieces", 2, _pieces)


def each(tile: int, arrays: Sequence[int], scalars: int, size: int, piece: int) -> None:
    """Run a tile over ``size`` elements of the arrays at these addresses, in pieces."""
    fields = np.array([tile, *arrays, scalars, size, piece], np.int64)
    job = native.address(PIECES), fields, -(-size // piece)
    record = recording.current()
    if record is not None:
        record.job(*job)
    pool().run(job[0], fields.ctypes.data, job[2], threads.get_num_threads())
