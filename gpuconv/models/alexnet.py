"""AlexNet, as published and on one GPU."""

from math import sqrt

from ..graph import Graph, Sequential
from ..layers import (
    AdaptiveAvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
)
from ..layers.init import Constant, Kaiming, Normal
from .registry import model

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Uniform in +-1 / sqrt(fan in), as torchvision: max pooling and dropout raise the second moment, so
# that He's larger values diverge at the usual learning rate of 0.01.
_INIT = Kaiming(1 / sqrt(3), distribution="uniform")


@model(
    (3, 224, 224),
    IMAGENET_MEAN,
    IMAGENET_STD,
    num_classes=1000,
    dropout=0.5,
    source="Krizhevsky 2014",
)
def alexnet(num_classes: int, dropout: float) -> Graph:
    """AlexNet on one GPU, torchvision's shapes and names; 61,100,840 parameters.

    Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014).
    """
    features = Sequential(
        Conv2d(3, 64, 11, stride=4, padding=2, weight_init=_INIT),
        ReLU(),
        MaxPool2d(3, 2),
        Conv2d(64, 192, 5, padding=2, weight_init=_INIT),
        ReLU(),
        MaxPool2d(3, 2),
        Conv2d(192, 384, 3, padding=1, weight_init=_INIT),
        ReLU(),
        Conv2d(384, 256, 3, padding=1, weight_init=_INIT),
        ReLU(),
        Conv2d(256, 256, 3, padding=1, weight_init=_INIT),
        ReLU(),
        MaxPool2d(3, 2),
    )
    classifier = Sequential(
        Dropout(dropout),
        Linear(256 * 6 * 6, 4096, weight_init=_INIT),
        ReLU(),
        Dropout(dropout),
        Linear(4096, 4096, weight_init=_INIT),
        ReLU(),
        Linear(4096, num_classes, weight_init=_INIT),
    )
    return Sequential(
        {
            "features": features,
            "avgpool": AdaptiveAvgPool2d(6),
            "flatten": Flatten(),
            "classifier": classifier,
        }
    )


_SMALL, _ONE, _ZERO = Normal(0.01), Constant(1.0), Constant(0.0)


def _conv(
    before: int, after: int, size: int, bias: Constant, groups: int = 1, stride: int = 1
) -> Conv2d:
    padding = 0 if stride > 1 else size // 2
    return Conv2d(
        before, after, size, stride, padding, groups=groups, weight_init=_SMALL, bias_init=bias
    )


def _linear(before: int, after: int, bias: Constant) -> Linear:
    return Linear(before, after, weight_init=_SMALL, bias_init=bias)


def _normed() -> list[Layer]:
    norm = LocalResponseNorm(5, 1e-4, 0.75, 2.0, alpha_per="element")
    return [ReLU(), norm, MaxPool2d(3, 2)]


@model(
    (3, 227, 227),
    IMAGENET_MEAN,
    IMAGENET_STD,
    num_classes=1000,
    dropout=0.5,
    source="Krizhevsky et al. 2012",
)
def alexnet_2012(num_classes: int, dropout: float) -> Graph:
    """AlexNet as published: two groups, response normalisation, 227 input; 60,965,224 parameters.

    Krizhevsky, Sutskever and Hinton (2012), sections 3 and 5: weights normal with deviation 0.01,
    biases 1 in the second, fourth and fifth convolution and in the hidden fully-connected layers.
    The paper says 224 x 224 images; its 55 x 55 first maps take 227.
    """
    features = Sequential(
        _conv(3, 96, 11, _ZERO, stride=4),
        *_normed(),
        _conv(96, 256, 5, _ONE, groups=2),
        *_normed(),
        _conv(256, 384, 3, _ZERO),
        ReLU(),
        _conv(384, 384, 3, _ONE, groups=2),
        ReLU(),
        _conv(384, 256, 3, _ONE, groups=2),
        ReLU(),
        MaxPool2d(3, 2),
    )
    classifier = Sequential(
        _linear(256 * 6 * 6, 4096, _ONE),
        ReLU(),
        Dropout(dropout),
        _linear(4096, 4096, _ONE),
        ReLU(),
        Dropout(dropout),
        _linear(4096, num_classes, _ZERO),
    )
    return Sequential({"features": features, "flatten": Flatten(), "classifier": classifier})
