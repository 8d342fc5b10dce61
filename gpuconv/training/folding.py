"""Folds batch normalisation into the convolutions before it, for inference.

With the running statistics it is one factor and one summand for each channel, and so part of the
weights: w' = s w and b' = s (b - mean) + bias, where s = weight / sqrt(var + eps) (Ioffe and
Szegedy 2015, algorithm 2, lines 9 to 11).
"""

from collections import Counter
from collections.abc import Iterable
from copy import copy
from typing import Any

import numpy as np

from .. import device as devices
from ..graph import Graph
from ..layers import BatchNorm2d, Conv2d, Layer
from ..layers.parameter import Parameter, Tensorlike
from ..nodes import Handle, Key, Node


def folded(net: Layer) -> Layer:
    """The net in evaluation mode with its weights as they are now; the net itself if nothing folds.

    Layers that stay are shared, not copied. Its results differ from the net's by rounding.
    """
    if not isinstance(net, Graph) or type(net).forward is not Graph.forward:
        return net
    for parameter in net.parameters():
        _ = parameter.value  # drawn by its number in this net, not in the new one
    pairs = _pairs(net)
    layers = {name: folded(layer) for name, layer in net.children().items()}
    if not pairs and all(layers[name] is layer for name, layer in net.children().items()):
        return net
    return _rebuilt(net, pairs, layers)


def state(net: Layer) -> list[tuple[Tensorlike, int]]:
    """What tells whether the values of a net have changed since."""
    places: Iterable[tuple[str, Tensorlike]] = (*net.named_parameters(), *net.named_buffers())
    return [(place, place.version) for _, place in places]


def _pairs(net: Graph) -> dict[str, Node]:
    """Convolutions, by name, whose value a batch normalisation alone reads: that node."""
    readers = Counter(key for node in net.nodes for key in node.sources) + Counter(net.result)
    convolutions = {node.results[0]: node for node in net.nodes if type(node.layer) is Conv2d}
    return {
        convolutions[node.sources[0]].name: node
        for node in net.nodes
        if type(node.layer) is BatchNorm2d
        and node.sources[0] in convolutions
        and readers[node.sources[0]] == 1
    }


def _rebuilt(net: Graph, pairs: dict[str, Node], layers: dict[str, Layer]) -> Graph:
    made, values = Graph(), dict[Key, Handle]()
    for name in net.inputs:
        values[name, 0] = made.input(name)
    absorbed = {node.name: name for name, node in pairs.items()}
    for node in net.nodes:
        if node.name in absorbed:
            values[node.name, 0] = values[absorbed[node.name], 0]
            continue
        layer = layers[node.name]
        if node.name in pairs:
            layer = _merged(layer, pairs[node.name].layer)
        results = made.apply(layer, *(values[key] for key in node.sources), name=node.name)
        handles = results if isinstance(results, tuple) else (results,)
        values.update(zip(node.results, handles, strict=True))
    made.output(*(values[key] for key in net.result))
    return made


def _merged(conv: Any, norm: Any) -> Conv2d:
    """A convolution that normalises as well."""
    device, dtype = conv.weight.home
    weight, mean, var = map(_wide, (conv.weight, norm.running_mean, norm.running_var))
    factor = 1 / np.sqrt(var + norm.eps)
    if norm.weight is not None:
        factor *= _wide(norm.weight)
    bias = -mean if conv.bias is None else _wide(conv.bias) - mean
    bias = bias * factor + (0 if norm.bias is None else _wide(norm.bias))
    made: Conv2d = copy(conv)
    made.weight, made.bias = (
        Parameter(values.astype(dtype), trainable=False)
        for values in (weight * factor[:, None, None, None], bias)
    )
    return made.to(device)


def _wide(place: Tensorlike) -> np.ndarray:
    return devices.to_numpy(place.value).astype(np.float64)
