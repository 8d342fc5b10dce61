"""The net of cuda-convnet that has 11 % errors on CIFAR-10."""

from ..graph import Graph, Sequential
from ..layers import (
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    LocallyConnected2d,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
)
from ..layers.init import Normal
from .cifar_resnet import CIFAR_MEAN, CIFAR_STD
from .registry import model


def _pooled() -> list[Layer]:
    return [ReLU(), LocalResponseNorm(5, 0.001, 0.75, 1.0), MaxPool2d(3, 2, ceil_mode=True)]


@model(
    (3, 24, 24),
    CIFAR_MEAN,
    CIFAR_STD,
    lr=0.001,
    source="Krizhevsky 2011, cuda-convnet, layers-conv-local-11pct.cfg",
)
def cuda_convnet(num_classes: int, dropout: float) -> Graph:
    """The CIFAR-10 net of cuda-convnet, two layers without shared weights; 1,116,490 parameters.

    Krizhevsky, cuda-convnet (2011), example-layers/layers-conv-local-11pct.cfg, for 24 x 24 crops:
    layers, sizes and deviations of the weights. Its poolings round up.
    """
    return Sequential(
        {
            "features": Sequential(
                Conv2d(3, 64, 5, padding=2, weight_init=Normal(0.0001)),
                *_pooled(),
                Conv2d(64, 64, 5, padding=2, weight_init=Normal(0.01)),
                *_pooled(),
                LocallyConnected2d(64, 32, 6, 3, padding=1, weight_init=Normal(0.04)),
                ReLU(),
                LocallyConnected2d(32, 32, 6, 3, padding=1, weight_init=Normal(0.04)),
                ReLU(),
            ),
            "flatten": Flatten(),
            "drop": Dropout(dropout),
            "fc": Linear(32 * 6 * 6, num_classes, weight_init=Normal(0.01)),
        }
    )
