"""ResNets: blocks that add what they compute to what they were given; and the same nets without.

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
from .alexnet import IMAGENET_MEAN, IMAGENET_STD
from .registry import model

CHANNELS = (64, 128, 256, 512)
_FILTERS = Kaiming(mode="fan_out")
_CLASSES = Kaiming(1 / sqrt(3), distribution="uniform")

Block = Callable[[int, int, int], Graph]
Shortcut = Callable[[int, int, int], Layer]
_IMAGENET = model(
    (3, 224, 224),
    IMAGENET_MEAN,
    IMAGENET_STD,
    num_classes=1000,
    lr=0.05,
    source="He et al. 2016, table 1",
)


def convolution(before: int, after: int, size: int, stride: int = 1) -> Conv2d:
    """A convolution that keeps the image's size but for its stride; no bias: a norm follows."""
    padding = (size - 1) // 2
    return Conv2d(before, after, size, stride, padding, bias=False, weight_init=_FILTERS)


def classes(features: int, num_classes: int) -> Linear:
    """The last layer, which begins as torch.nn.Linear does."""
    return Linear(features, num_classes, weight_init=_CLASSES)


def projection(before: int, after: int, stride: int) -> Layer:
    """Option B: a 1 x 1 convolution."""
    return Sequential(convolution(before, after, 1, stride), BatchNorm2d(after))


def residual(
    layers: list[tuple[int, int, int]], before: int, shortcut: Shortcut | None = projection
) -> Graph:
    """Convolutions (channels, kernel size, stride), each normalised, around a shortcut.

    ``shortcut`` makes the layer that it takes where the shape changes; None is for a plain net.
    """
    g = Graph()
    x = h = g.input("x")
    channels, stride = before, 1
    for number, (after, size, step) in enumerate(layers, start=1):
        if number > 1:
            h = g.apply(ReLU(), h)
        h = g.apply(convolution(channels, after, size, step), h, name=f"conv{number}")
        h = g.apply(BatchNorm2d(after), h, name=f"bn{number}")
        channels, stride = after, stride * step
    if shortcut is not None:
        if (before, 1) != (channels, stride):
            x = g.apply(shortcut(before, channels, stride), x, name="downsample")
        h = g.apply(Add(), h, x)
    g.apply(ReLU(), h)
    return g


def basic(shortcut: Shortcut | None = projection) -> Block:
    """Blocks of two 3 x 3 convolutions: ``block(before, channels, stride)``."""

    def block(before: int, channels: int, stride: int) -> Graph:
        return residual([(channels, 3, stride), (channels, 3, 1)], before, shortcut)

    return block


def bottleneck(before: int, channels: int, stride: int) -> Graph:
    """A block that is narrow where it convolves."""
    return residual([(channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1)], before)


def stage(block: Block, before: int, channels: int, after: int, count: int, stride: int) -> Layer:
    """``count`` blocks, of which the first has the stride."""
    first = block(before, channels, stride)
    return Sequential(first, *(block(after, channels, 1) for _ in range(count - 1)))


def _resnet(block: Block, widen: int, counts: tuple[int, ...], num_classes: int, p: float) -> Graph:
    layers: dict[str, Layer] = {
        "conv1": convolution(3, 64, 7, 2),
        "bn1": BatchNorm2d(64),
        "relu": ReLU(),
        "maxpool": MaxPool2d(3, 2, padding=1),
    }
    before = 64
    for number, (channels, count) in enumerate(zip(CHANNELS, counts, strict=True), start=1):
        after, stride = widen * channels, 1 if number == 1 else 2
        layers[f"layer{number}"] = stage(block, before, channels, after, count, stride)
        before = after
    layers |= {"avgpool": AdaptiveAvgPool2d(1), "flatten": Flatten(), "drop": Dropout(p)}
    return Sequential(layers | {"fc": classes(before, num_classes)})


@_IMAGENET
def resnet18(num_classes: int, dropout: float) -> Graph:
    """ResNet-18, torchvision's names; 11,689,512 parameters."""
    return _resnet(basic(), 1, (2, 2, 2, 2), num_classes, dropout)


@_IMAGENET
def resnet34(num_classes: int, dropout: float) -> Graph:
    """ResNet-34, torchvision's names; 21,797,672 parameters."""
    return _resnet(basic(), 1, (3, 4, 6, 3), num_classes, dropout)


@_IMAGENET
def resnet50(num_classes: int, dropout: float) -> Graph:
    """ResNet-50, torchvision's names; 25,557,032 parameters."""
    return _resnet(bottleneck, 4, (3, 4, 6, 3), num_classes, dropout)


@_IMAGENET
def plain18(num_classes: int, dropout: float) -> Graph:
    """ResNet-18 without its shortcuts; 11,515,688 parameters."""
    return _resnet(basic(None), 1, (2, 2, 2, 2), num_classes, dropout)


@_IMAGENET
def plain34(num_classes: int, dropout: float) -> Graph:
    """ResNet-34 without its shortcuts; 21,623,848 parameters."""
    return _resnet(basic(None), 1, (3, 4, 6, 3), num_classes, dropout)
