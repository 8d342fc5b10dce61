"""How much memory training takes, known before: the steps run with kernels that compute nothing.

They allocate what real steps allocate, and nobody writes to it. What Python, Numba and the compiled
kernels themselves take, about the same for every net, comes on top.
"""

import gc
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cpu import memory
from ..errors import DeviceError, OptionError
from ..layers import CrossEntropyLoss, Layer
from ..layers.parameter import Parameter, Tensorlike
from ..shapes import integer
from ..tracing import undone
from .optimizers import Optimizer
from .step import TrainStep

KEPT = 2  # snapshots of a Trainer
STEPS = 3  # the first runs as ever, the second is recorded, the third played (replay.py)


@dataclass(frozen=True)
class Footprint:
    """Bytes at the peak of a Trainer's steps on the CPU.

    ``weights`` with buffers; ``optimizer`` its state; ``snapshots`` of both, the two that the
    Trainer keeps to go back to; ``workspaces``: by how much those of the kernels raise the peak;
    ``activations`` all else: images, values, their gradients.
    """

    batch_size: int
    weights: int
    gradients: int
    optimizer: int
    snapshots: int
    activations: int
    workspaces: int

    @property
    def total(self) -> int:
        """All of it, bytes."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """Bytes by name."""
        return {name: size for name, size in vars(self).items() if name != "batch_size"}


Make = Callable[[], Any]
MakeOptimizer = Callable[[Any], Optimizer]


def footprint(make: Make, optimizer: MakeOptimizer, batch: int) -> Footprint:
    """What a Trainer takes for batches of this size, cross entropy, on the CPU.

    ``make`` gives a new net, which has an ``input_shape``, and ``optimizer`` its optimiser. Nothing
    is computed. Raises DeviceError for a batch that no memory holds.
    """
    batch = integer(batch, "footprint: batch", 1)
    _peak(make, optimizer, 1)  # whatever is imported and kept at first use
    whole, net, taken = _peak(make, optimizer, batch)
    bare, _, _ = _peak(make, optimizer, batch, works=False)
    weights, gradients, state = _sizes(net, taken)
    rest = bare - weights - gradients - state
    kept = KEPT * (weights + state)
    return Footprint(batch, weights, gradients, state, kept, rest, whole - bare)


def _sizes(net: Layer, optimizer: Optimizer) -> tuple[int, int, int]:
    """Bytes of weights with buffers, of gradients, and of the optimiser's state."""
    arena = optimizer.arena
    buffers = sum(buffer.value.nbytes for _, buffer in net.named_buffers())
    frozen = sum(p.value.nbytes for p in net.parameters() if not p.trainable)
    weights = arena.value.nbytes + buffers + frozen
    states: Mapping[str, Any] = arena.states
    state = sum(array.nbytes for array in states.values())
    return weights, arena.gradient.nbytes, state


def peak(make: Make, optimizer: MakeOptimizer, batch: int) -> int:
    """``footprint(...).total`` of a net that was planned before in this process; raises as that."""
    whole, net, taken = _peak(make, optimizer, batch)
    weights, _, state = _sizes(net, taken)
    return whole + KEPT * (weights + state)


def largest(total: Callable[[int], int], batch: int, limit: int) -> int:
    """The largest batch up to ``batch`` whose total is at most ``limit`` bytes; 0: none is."""

    def fits(size: int) -> bool:
        try:
            return total(size) <= limit
        except DeviceError:
            return False

    low, high = 0, batch + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _peak(
    make: Make, optimizer: MakeOptimizer, batch: int, works: bool = True
) -> tuple[int, Any, Optimizer]:
    """The most bytes that were held at once, and the net and the optimiser afterwards."""
    gc.collect()
    memory.SHELF.clear()
    if tracemalloc.is_tracing():
        raise OptionError("footprint: tracemalloc is tracing already; stop it first")
    tracemalloc.start()
    try:
        with undone(works=works), np.errstate(all="ignore"):
            net = make()
            taken = _steps(net, optimizer, batch)
        return tracemalloc.get_traced_memory()[1], net, taken
    finally:
        tracemalloc.stop()
        memory.SHELF.clear()


def _steps(net: Any, optimizer: MakeOptimizer, batch: int) -> Optimizer:
    _blank(net)
    images = memory.empty((batch, *net.input_shape), np.float32)
    labels = np.zeros(batch, np.int64)
    taken = optimizer(net)
    tracemalloc.reset_peak()
    step = TrainStep(net, CrossEntropyLoss(), taken)
    for _ in range(STEPS):
        step(images, labels)
    return taken


def _blank(net: Layer) -> None:
    """Values that nobody draws: a large net's would take seconds."""
    for _, place in net._named(Tensorlike, "", set()):
        if isinstance(place, Parameter):
            place._value = np.empty(place.shape, place.home[1])
        else:
            place._value = np.ones(place.shape, place.home[1])
