"""AlexNet."""

from math import sqrt

from ..graph import Graph, Sequential
from ..layers import AdaptiveAvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU
from ..layers.init import Kaiming
from .registry import model

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Uniform in +-1 / sqrt(fan in), as torchvision: max pooling and dropout raise the second moment, so
# that He's larger values diverge at the usual learning rate of 0.01.
_INIT = Kaiming(1 / sqrt(3), distribution="uniform")


@model((3, 224, 224), IMAGENET_MEAN, IMAGENET_STD, num_classes=1000, dropout=0.5)
def alexnet(num_classes: int, dropout: float) -> Graph:
    """AlexNet on one GPU (Krizhevsky 2014), torchvision's shapes and names; 61,100,840 parameters.

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
