"""PyTorch's counterpart of a net of ours: the same layers, the same values.

As torchvision builds its nets: ReLU works in place, which saves PyTorch a pass over memory.
"""

from collections.abc import Callable
from typing import Any

from gpuconv import layers
from gpuconv.graph import Graph
from gpuconv.layers import Layer


def translate(net: Graph, *, channels_last: bool) -> Any:
    """A torch.nn.Module that does what ``net`` does, in this memory format.

    Raises KeyError for a layer that has no counterpart here.
    """
    import torch

    made = _graph(torch, net)
    names = [name for name, _ in net.named_parameters()]
    if [name for name, _ in made.named_parameters()] != names:
        raise KeyError(f"the parameters of {type(net).__name__} have other names in PyTorch")
    made.load_state_dict({n: torch.from_numpy(v.copy()) for n, v in net.state_dict().items()})
    return made.to(memory_format=torch.channels_last) if channels_last else made


def single(layer: Layer, *, channels_last: bool) -> Any:
    """One layer's counterpart; ReLU does not work in place here, where its input is used again."""
    import torch

    made = _layer(torch, layer)
    if isinstance(made, torch.nn.ReLU):
        made = torch.nn.ReLU()
    return made.to(memory_format=torch.channels_last) if channels_last else made


def _graph(torch: Any, net: Graph) -> Any:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for node in net.nodes:
                self.add_module(node.name, _layer(torch, node.layer))

        def forward(self, *xs: Any) -> Any:
            values = dict(zip(((name, 0) for name in net.inputs), xs, strict=True))
            for node in net.nodes:
                sources = (values[key] for key in node.sources)
                values[node.name, 0] = self._modules[node.name](*sources)
            return values[net.result[0]]

    return Module()


def _layer(torch: Any, layer: Layer) -> Any:
    return _graph(torch, layer) if isinstance(layer, Graph) else _MAKERS[type(layer)](torch, layer)


def _conv2d(torch: Any, layer: layers.Conv2d) -> Any:
    k, cg, *window = layer.weight.shape
    options = dict(layer.options)
    padding = tuple(before for before, _ in options.pop("padding"))
    bias = layer.bias is not None
    return torch.nn.Conv2d(cg * options["groups"], k, window, padding=padding, bias=bias, **options)


def _linear(torch: Any, layer: layers.Linear) -> Any:
    o, i = layer.weight.shape
    return torch.nn.Linear(i, o, bias=layer.bias is not None)


def _batch_norm(torch: Any, layer: layers.BatchNorm2d) -> Any:
    size = layer.running_mean.shape[0]
    return torch.nn.BatchNorm2d(size, layer.eps, layer.momentum)


def _lrn(torch: Any, layer: layers.LocalResponseNorm) -> Any:
    size, alpha, beta, k, per = layer.options
    whole = alpha * size if per == "element" else alpha
    return torch.nn.LocalResponseNorm(size, whole, beta, k)


def _add(torch: Any, layer: Layer) -> Any:
    class Add(torch.nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return a + b

    return Add()


def _concat(torch: Any, layer: layers.Concat) -> Any:
    class Concat(torch.nn.Module):
        def forward(self, *xs: Any) -> Any:
            return torch.cat(xs, layer.axis)

    return Concat()


def _pad_channels(torch: Any, layer: layers.PadChannels) -> Any:
    return torch.nn.ConstantPad3d((0, 0, 0, 0, *layer.border[0]), 0.0)


def _table_conv2d(torch: Any, layer: layers.TableConv2d) -> Any:
    class TableConv2d(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.empty(layer.weight.shape))
            self.bias = torch.nn.Parameter(torch.empty(layer.dense_shape[0]))

        def forward(self, x: Any) -> Any:
            dense = x.new_zeros(layer.dense_shape)
            for number, link in enumerate(layer.links):
                dense[link] = self.weight[number]
            padding = tuple(before for before, _ in layer.options["padding"])
            return torch.nn.functional.conv2d(x, dense, self.bias, padding=padding)

    return TableConv2d()


def _rbf(torch: Any, layer: layers.RBF) -> Any:
    class RBF(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("code", torch.empty(layer.code.shape))

        def forward(self, x: Any) -> Any:
            return x @ self.code.T

    return RBF()


def _tanh(torch: Any, layer: layers.Tanh) -> Any:
    class Tanh(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return layer.scale * torch.tanh(layer.slope * x)

    return Tanh()


_MAKERS: dict[type, Callable[[Any, Any], Any]] = {
    layers.Add: _add,
    layers.AdaptiveAvgPool2d: lambda t, layer: t.nn.AdaptiveAvgPool2d(layer.output_size),
    layers.AvgPool2d: lambda t, layer: t.nn.AvgPool2d(**layer.options),
    layers.BatchNorm2d: _batch_norm,
    layers.Concat: _concat,
    layers.Conv2d: _conv2d,
    layers.Dropout: lambda t, layer: t.nn.Dropout(layer.p),
    layers.Flatten: lambda t, layer: t.nn.Flatten(),
    layers.Linear: _linear,
    layers.LocalResponseNorm: _lrn,
    layers.MaxPool2d: lambda t, layer: t.nn.MaxPool2d(**layer.options),
    layers.PadChannels: _pad_channels,
    layers.RBF: _rbf,
    layers.ReLU: lambda t, layer: t.nn.ReLU(inplace=True),
    layers.TableConv2d: _table_conv2d,
    layers.Tanh: _tanh,
}
