"""Counter-based random numbers: the same bits on every backend, in any order, from any thread.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
(SC 2011). Key = seed (64 bits), counter = (element // 4 low, element // 4 high, step, stream);
word ``element % 4`` of the block belongs to ``element``.
"""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from .errors import OptionError
from .shapes import Shape, integer

# Purposes take disjoint ranges of the stream number, so that no two share a word.
INIT = 1 << 28
SHUFFLE = 2 << 28
AUGMENT = 3 << 28
CROP = 4 << 28

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_MASK32 = 0xFFFFFFFF
_LOW = np.uint64(_MASK32)
_SHIFT = np.uint64(32)
_CHUNK = 1 << 14  # counters per pass: the temporaries of one pass stay in the L2 cache


def philox4x32(counter: tuple, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Ten Philox rounds over counters given as four uint64 arrays of 32-bit values."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c2 = (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0), (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1)
        c1, c3 = p1 & _LOW, p0 & _LOW
        k0, k1 = (k0 + _W0) & _MASK32, (k1 + _W1) & _MASK32
    return c0, c1, c2, c3


def words(seed: int, step: int, stream: int, size: int) -> np.ndarray:
    """``size`` uint32 words, in element order."""
    blocks = -(-size // 4)
    out = np.empty((blocks, 4), np.uint32)
    key = (seed & _MASK32, seed >> 32 & _MASK32)
    step64, stream64 = np.uint64(step & _MASK32), np.uint64(stream & _MASK32)
    for start in range(0, blocks, _CHUNK):
        stop = min(start + _CHUNK, blocks)
        index = np.arange(start, stop, dtype=np.uint64)
        counter = (
            index & _LOW,
            index >> _SHIFT,
            np.full_like(index, step64),
            np.full_like(index, stream64),
        )
        for lane, word in enumerate(philox4x32(counter, key)):
            out[start:stop, lane] = word
    return out.reshape(-1)[:size]


def quads(seed: int, step: int, stream: int, blocks: np.ndarray) -> np.ndarray:
    """uint32 (len(blocks), 4): elements 4 b to 4 b + 3 of ``words`` for each b of ``blocks``."""
    index = np.asarray(blocks).astype(np.uint64)
    rest = (np.full_like(index, np.uint64(number & _MASK32)) for number in (step, stream))
    counter = (index & _LOW, index >> _SHIFT, *rest)
    lanes = philox4x32(counter, (seed & _MASK32, seed >> 32 & _MASK32))
    return np.stack(lanes, axis=1).astype(np.uint32)


def keep_threshold(drop: float) -> int:
    """A unit stays if its 32-bit word is below this: floor((1 - drop) * 2**32)."""
    return int((1.0 - drop) * 2**32)


@dataclass(frozen=True)
class Stream:
    """A place in the random numbers: ``seed`` of the run, ``step`` of training, ``stream``.

    ``stream`` is the drawing layer's number in node order (a Graph hands it on with ``at``).
    Raises OptionError unless seed is in [0, 2**64), step and stream in [0, 2**32).
    """

    seed: int
    step: int = 0
    stream: int = 0

    def __post_init__(self) -> None:
        for name, bits in (("seed", 64), ("step", 32), ("stream", 32)):
            if integer(getattr(self, name), f"Stream: {name}", 0) >> bits:
                raise OptionError(f"Stream: {name} must be in [0, 2**{bits}), got {self}")

    def at(self, stream: int) -> "Stream":
        """The same seed and step on another stream."""
        return replace(self, stream=stream)

    def words(self, size: int) -> np.ndarray:
        """``size`` uint32 words, in element order."""
        return words(self.seed, self.step, self.stream, size)

    def quads(self, blocks: np.ndarray) -> np.ndarray:
        """uint32 (len(blocks), 4): four words for each number, whichever others are asked for."""
        return quads(self.seed, self.step, self.stream, blocks)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """float64 values in [low, high), 32 random bits each."""
        unit = self.words(prod(shape)) * 2.0**-32
        return (low + (high - low) * unit).reshape(shape)

    def normal(self, shape: Shape, std: float = 1.0) -> np.ndarray:
        """float64 normal values (Box and Muller 1958), two from each pair of words."""
        size = prod(shape)
        pairs = self.words(size + size % 2).reshape(-1, 2)
        both = np.empty(pairs.shape)
        for start in range(0, len(pairs), _CHUNK):
            part = slice(start, start + _CHUNK)
            radius = std * np.sqrt(-2.0 * np.log((pairs[part, 0] + 0.5) * 2.0**-32))
            angle = (2.0 * np.pi * 2.0**-32) * pairs[part, 1]
            np.multiply(radius, np.cos(angle), out=both[part, 0])
            np.multiply(radius, np.sin(angle), out=both[part, 1])
        return both.reshape(-1)[:size].reshape(shape)

    def permutation(self, size: int) -> np.ndarray:
        """The numbers 0 .. size - 1 in random order (int64); ties of the sort keys keep order."""
        return np.argsort(self.words(size), kind="stable")
