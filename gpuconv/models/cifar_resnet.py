"""The nets with which the paper on ResNets makes its point: thin, deep, for 32 x 32 images.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), section 4.2: depth
6 n + 2, three stages of n blocks with 16, 32 and 64 channels. Shortcuts have no parameters (option
A): where the shape changes, every second pixel, and zeros in the channels that are new. A plain net
and its residual counterpart have the same parameters, by the same names.
"""

from ..errors import OptionError
from ..graph import Graph, Sequential
from ..layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Dropout,
    Flatten,
    Layer,
    PadChannels,
    ReLU,
)
from ..shapes import integer
from .registry import model
from .resnet import basic, classes, convolution, stage

CHANNELS = (16, 32, 64)
CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)

_CIFAR = model(
    (3, 32, 32), CIFAR_MEAN, CIFAR_STD, lr=0.1, source="He et al. 2016, section 4.2, option A"
)


def subsampled(before: int, after: int, stride: int) -> Layer:
    """Option A: a mean over one pixel takes every second one as it is."""
    return Sequential(AvgPool2d(1, stride), PadChannels(0, after - before))


def cifar_net(
    depth: int,
    num_classes: int = 10,
    dropout: float = 0.0,
    *,
    is_residual: bool = True,
    in_channels: int = 3,
) -> Graph:
    """The net of this depth, with or without shortcuts, for images of any size.

    Shapes: x (N, in_channels, H, W), y (N, num_classes). Raises OptionError unless depth is
    6 n + 2. He et al. (2016), section 4.2.
    """
    count, rest = divmod(integer(depth, "cifar_net: depth", 8) - 2, 6)
    if rest:
        raise OptionError(f"cifar_net: depth must be 6 n + 2 (8, 14, 20, ...), got {depth}")
    block = basic(subsampled if is_residual else None)
    before = CHANNELS[0]
    layers: dict[str, Layer] = {
        "conv1": convolution(in_channels, before, 3),
        "bn1": BatchNorm2d(before),
        "relu": ReLU(),
    }
    for number, channels in enumerate(CHANNELS, start=1):
        stride = 1 if number == 1 else 2
        layers[f"layer{number}"] = stage(block, before, channels, channels, count, stride)
        before = channels
    layers |= {"avgpool": AdaptiveAvgPool2d(1), "flatten": Flatten(), "drop": Dropout(dropout)}
    return Sequential(layers | {"fc": classes(before, num_classes)})


@_CIFAR
def resnet20(num_classes: int, dropout: float) -> Graph:
    """ResNet-20 for 32 x 32 images; 269,722 parameters."""
    return cifar_net(20, num_classes, dropout)


@_CIFAR
def resnet56(num_classes: int, dropout: float) -> Graph:
    """ResNet-56 for 32 x 32 images; 853,018 parameters."""
    return cifar_net(56, num_classes, dropout)


@_CIFAR
def plain20(num_classes: int, dropout: float) -> Graph:
    """ResNet-20 without its shortcuts; 269,722 parameters."""
    return cifar_net(20, num_classes, dropout, is_residual=False)


@_CIFAR
def plain56(num_classes: int, dropout: float) -> Graph:
    """ResNet-56 without its shortcuts; 853,018 parameters."""
    return cifar_net(56, num_classes, dropout, is_residual=False)
