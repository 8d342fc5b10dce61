"""ResNets: blocks that add what they compute to what they were given.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), table 1, with a
projection where the shape changes (option B). torchvision's names; as there, the 3 x 3 convolution
of a bottleneck has the stride (the paper: the first 1 x 1).
"""

from collections.abc import Callable
from math import sqrt

from ..graph import Graph, Sequential
from ..layers import (
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
)
from ..layers.init import Kaiming
from ..nodes import Handle
from .alexnet import IMAGENET_MEAN, IMAGENET_STD
from .registry import model

CHANNELS = (64, 128, 256, 512)
_FILTERS = Kaiming(mode="fan_out")
_CLASSES = Kaiming(1 / sqrt(3), distribution="uniform")

Block = Callable[[int, int, int], Graph]
_IMAGENET = model((3, 224, 224), IMAGENET_MEAN, IMAGENET_STD, num_classes=1000, lr=0.05)


def _conv(before: int, after: int, size: int, stride: int = 1) -> Conv2d:
    padding = (size - 1) // 2
    return Conv2d(before, after, size, stride, padding, bias=False, weight_init=_FILTERS)


def _residual(layers: list[tuple[int, int, int]], before: int) -> Graph:
    """Convolutions (channels, kernel size, stride), each normalised, around a shortcut."""
    g = Graph()
    x = h = g.input("x")
    channels, stride = before, 1
    for number, (after, size, step) in enumerate(layers, start=1):
        if number > 1:
            h = g.apply(ReLU(), h)
        h = g.apply(_conv(channels, after, size, step), h, name=f"conv{number}")
        h = g.apply(BatchNorm2d(after), h, name=f"bn{number}")
        channels, stride = after, stride * step
    g.apply(ReLU(), g.apply(Add(), h, _shortcut(g, x, before, channels, stride)))
    return g


def _shortcut(g: Graph, x: Handle, before: int, after: int, stride: int) -> Handle:
    if (before, stride) == (after, 1):
        return x
    layers = Sequential(_conv(before, after, 1, stride), BatchNorm2d(after))
    return g.apply(layers, x, name="downsample")


def _basic(before: int, channels: int, stride: int) -> Graph:
    return _residual([(channels, 3, stride), (channels, 3, 1)], before)


def _bottleneck(before: int, channels: int, stride: int) -> Graph:
    narrow = [(channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1)]
    return _residual(narrow, before)


def _stage(block: Block, before: int, channels: int, after: int, count: int, stride: int) -> Layer:
    first = block(before, channels, stride)
    return Sequential(first, *(block(after, channels, 1) for _ in range(count - 1)))


def _resnet(block: Block, widen: int, counts: tuple[int, ...], classes: int, p: float) -> Graph:
    layers: dict[str, Layer] = {
        "conv1": _conv(3, 64, 7, 2),
        "bn1": BatchNorm2d(64),
        "relu": ReLU(),
        "maxpool": MaxPool2d(3, 2, padding=1),
    }
    before = 64
    for number, (channels, count) in enumerate(zip(CHANNELS, counts, strict=True), start=1):
        after, stride = widen * channels, 1 if number == 1 else 2
        layers[f"layer{number}"] = _stage(block, before, channels, after, count, stride)
        before = after
    layers |= {"avgpool": AdaptiveAvgPool2d(1), "flatten": Flatten(), "drop": Dropout(p)}
    return Sequential(layers | {"fc": Linear(before, classes, weight_init=_CLASSES)})


@_IMAGENET
def resnet18(num_classes: int, dropout: float) -> Graph:
    """ResNet-18 (He et al. 2016, table 1), torchvision's names; 11,689,512 parameters."""
    return _resnet(_basic, 1, (2, 2, 2, 2), num_classes, dropout)


@_IMAGENET
def resnet34(num_classes: int, dropout: float) -> Graph:
    """ResNet-34 (He et al. 2016, table 1), torchvision's names; 21,797,672 parameters."""
    return _resnet(_basic, 1, (3, 4, 6, 3), num_classes, dropout)


@_IMAGENET
def resnet50(num_classes: int, dropout: float) -> Graph:
    """ResNet-50 (He et al. 2016, table 1), torchvision's names; 25,557,032 parameters."""
    return _resnet(_bottleneck, 4, (3, 4, 6, 3), num_classes, dropout)
