"""Pointwise functions of a random word besides: Philox4x32-10, as gpuconv/random.py has it.

A vector of counters gives four vectors of words, which are put in the order of the elements.
Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import recording, simd
from .formula import Value
from .pointwise import INS, PIECE, Loop, launch

M0, M1, W0, W1, MASK = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF
ROUNDS = 10
KEY = 4  # slots of the scalars that hold the seed's halves, the step and the stream


class Drawing:
    """``formula(word, *ins, *scalars)`` gives one out of the arrays' elements and their words.

    Words are integers; scalars are float32, or, as ``bits`` reads them, uint32.
    """

    def __init__(self, formula: Callable, ins: int, scalars: int) -> None:
        self.formula, self.ins, self.scalars = formula, ins, scalars
        self._tiles: dict[int, _Words] = {}

    def __call__(
        self, out: np.ndarray, ins: Sequence[np.ndarray], place: Sequence[Any], *scalars: Any
    ) -> None:
        """Fill ``out``; ``place`` is seed, step and stream."""
        width = simd.width()
        if width not in self._tiles:
            self._tiles[width] = _Words(self, width)
        slots = np.empty(KEY + len(scalars), np.float32)
        recording.host(_put, slots[:KEY].view(np.uint32), place)
        for n, value in enumerate(scalars, KEY):
            kind = np.uint32 if isinstance(value, int) else np.float32
            slots[n : n + 1].view(kind)[0] = value
        launch(self._tiles[width], (out,), ins, slots, out.size, PIECE)


def _put(words: np.ndarray, place: Sequence[Any]) -> None:
    """Set the words that say which numbers are drawn."""
    seed, step, stream = map(int, place)
    words[:] = seed & MASK, seed >> 32, step & MASK, stream & MASK


def philox(counter: list[Value], key: list[Value]) -> list[Value]:
    """The four words of a counter of four words and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        high0, low0 = c0.code.product(c0, M0)
        high1, low1 = c0.code.product(c2, M1)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + W0, k1 + W1
    return [c0, c1, c2, c3]


class _Words(Loop):
    """The tile of a ``Drawing``: four vectors at a time, then single elements."""

    def write(self, code: Any) -> None:
        build = code.build
        at = [code.variable(code[name]) for name in (*INS[: self.function.ins], "x")]
        element, group = code.variable(code["first"]), code.integer(4 * self.lanes)
        with code.loop(build.udiv(code["count"], group)):
            drawn = self._draw(code, code.get(element))
            for n in range(4):
                self._apply(code, at, code.interleaved(drawn, n))
            code.step(element, 4 * self.lanes)
        code.resize(1)
        with code.loop(build.urem(code["count"], group)):
            number = code.get(element)
            drawn = self._draw(code, number)
            self._apply(code, at, code.chosen(drawn, build.and_(number, code.integer(3))))
            code.step(element, 1)

    def _draw(self, code: Any, element: Any) -> list[Value]:
        low, high = code.numbers(code.build.lshr(element, code.integer(2)))
        seed0, seed1, step, stream = self._slots(code, range(KEY))
        return philox([low, high, step.bits(), stream.bits()], [seed0.bits(), seed1.bits()])

    def _apply(self, code: Any, at: list[Any], word: Value) -> None:
        scalars = self._slots(code, range(KEY, KEY + self.function.scalars))
        ins = [Value(code, code.load(code.get(place))) for place in at[:-1]]
        code.store(self.function.formula(word, *ins, *scalars).raw, code.get(at[-1]))
        for place in at:
            code.step(place, 4 * code.lanes)

    @staticmethod
    def _slots(code: Any, slots: range) -> list[Value]:
        return [Value(code, code.spread(code["scalars"], n)) for n in slots]
