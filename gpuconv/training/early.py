"""Steps taken early: a large weight is updated where its gradient is computed.

The gradient of a fully connected weight is as large as the weight, and is read once: by the
optimiser. Where backward takes the step itself, on each piece of the gradient while that is in the
cache, the gradient never goes to memory: six times over so many bytes in a step instead of eight.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import device as devices
from .. import ops
from ..graph import Graph
from ..kernels.linear.op import LinearSGDProblem, linear_sgd, linear_weight
from ..kernels.sgd.op import sgd
from ..layers import Layer, Linear, Parameter
from ..registry import find

LARGE = 1 << 18  # elements of a weight whose gradient is not in a cache any more when it is read
SAME = {linear_sgd: "numba:tiled", linear_weight: "numba:tiled", sgd: "numba:vectors"}


class Early:
    """The SGD of one weight (O, I), with its ``velocity`` or None, and the ``rate`` of the step."""

    def __init__(
        self, parameter: Parameter, velocity: np.ndarray | None, options: dict[str, Any]
    ) -> None:
        self.parameter, self.velocity, self.options = parameter, velocity, options
        self.rate = np.zeros((), np.float32)

    def __call__(self, x: Any, dy: Any) -> bool:
        """Take the step for x (N, I) and dy (N, O); False, and nothing, where bits would differ.

        Other kernels than those that share their loops may add up in another order.
        """
        o, i = self.parameter.shape
        problem = LinearSGDProblem(len(x), i, o, **self.options)
        parts = {linear_sgd: problem, linear_weight: problem.gradient, sgd: problem.step}
        for op, part in parts.items():
            kernel = find(op, part, devices.CPU)
            if kernel is None or kernel.name != SAME[op]:
                return False
        weight = self.parameter.value
        ops.linear_sgd(weight, x, dy, self.velocity, self.rate, **self.options)
        return True


def large(net: Layer) -> list[Parameter]:
    """The large weights of fully connected layers that a pass goes through exactly once.

    A weight of two layers, or of one that is applied twice, has a gradient only after both.
    """
    leaves = list(_leaves(net)) if any(p.size >= LARGE for p in net.parameters()) else []
    uses = Counter(id(parameter) for leaf in leaves for parameter in leaf.parameters())
    weights = [leaf.weight for leaf in leaves if type(leaf) is Linear]
    return [w for w in weights if w.size >= LARGE and uses[id(w)] == 1]


def _leaves(net: Layer) -> Iterator[Layer]:
    """The layers that are no graphs, as often as a pass goes through them."""
    if not isinstance(net, Graph):
        yield net
        return
    for node in net.nodes:
        yield from _leaves(node.layer)
