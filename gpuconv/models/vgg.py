"""VGG nets: 3 x 3 convolutions only, twice as many channels after every halving.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015),
table 1; torchvision's names, and its initial values: He's by fan out, and small normal ones.
"""

from ..graph import Graph, Sequential
from ..layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
)
from ..layers.init import Kaiming, Normal
from .alexnet import IMAGENET_MEAN, IMAGENET_STD
from .registry import model

CHANNELS = (64, 128, 256, 512, 512)
# Table 1: how many convolutions each of the five stages has.
A, B, D, E = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)

_IMAGENET = model(
    (3, 224, 224),
    IMAGENET_MEAN,
    IMAGENET_STD,
    num_classes=1000,
    dropout=0.5,
    source="Simonyan and Zisserman 2015, table 1",
)
_INIT = Kaiming(mode="fan_out")


def _features(stages: tuple[int, ...], normed: bool) -> Sequential:
    layers: list[Layer] = []
    before = 3
    for count, channels in zip(stages, CHANNELS, strict=True):
        for _ in range(count):
            layers.append(Conv2d(before, channels, 3, padding=1, weight_init=_INIT))
            layers += [BatchNorm2d(channels)] * normed
            layers.append(ReLU())
            before = channels
        layers.append(MaxPool2d(2))
    return Sequential(*layers)


def _vgg(stages: tuple[int, ...], num_classes: int, dropout: float, normed: bool = False) -> Graph:
    classifier = Sequential(
        Linear(512 * 7 * 7, 4096, weight_init=Normal()),
        ReLU(),
        Dropout(dropout),
        Linear(4096, 4096, weight_init=Normal()),
        ReLU(),
        Dropout(dropout),
        Linear(4096, num_classes, weight_init=Normal()),
    )
    return Sequential(
        {
            "features": _features(stages, normed),
            "avgpool": AdaptiveAvgPool2d(7),
            "flatten": Flatten(),
            "classifier": classifier,
        }
    )


@_IMAGENET
def vgg11(num_classes: int, dropout: float) -> Graph:
    """VGG-11, column A of the table; 132,863,336 parameters."""
    return _vgg(A, num_classes, dropout)


@_IMAGENET
def vgg13(num_classes: int, dropout: float) -> Graph:
    """VGG-13, column B of the table; 133,047,848 parameters."""
    return _vgg(B, num_classes, dropout)


@_IMAGENET
def vgg16(num_classes: int, dropout: float) -> Graph:
    """VGG-16, column D of the table; 138,357,544 parameters."""
    return _vgg(D, num_classes, dropout)


@_IMAGENET
def vgg19(num_classes: int, dropout: float) -> Graph:
    """VGG-19, column E of the table; 143,667,240 parameters."""
    return _vgg(E, num_classes, dropout)


@_IMAGENET
def vgg11_bn(num_classes: int, dropout: float) -> Graph:
    """VGG-11 with batch normalisation after every convolution; 132,868,840 parameters."""
    return _vgg(A, num_classes, dropout, normed=True)


@_IMAGENET
def vgg13_bn(num_classes: int, dropout: float) -> Graph:
    """VGG-13 with batch normalisation after every convolution; 133,053,736 parameters."""
    return _vgg(B, num_classes, dropout, normed=True)


@_IMAGENET
def vgg16_bn(num_classes: int, dropout: float) -> Graph:
    """VGG-16 with batch normalisation after every convolution; 138,365,992 parameters."""
    return _vgg(D, num_classes, dropout, normed=True)


@_IMAGENET
def vgg19_bn(num_classes: int, dropout: float) -> Graph:
    """VGG-19 with batch normalisation after every convolution; 143,678,248 parameters."""
    return _vgg(E, num_classes, dropout, normed=True)
