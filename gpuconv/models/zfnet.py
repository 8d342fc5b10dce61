"""ZFNet: AlexNet with smaller windows and strides in its first two layers."""

from ..graph import Graph, Sequential
from ..layers import Conv2d, Dropout, Flatten, Layer, Linear, LocalResponseNorm, MaxPool2d, ReLU
from ..layers.init import Normal
from .alexnet import IMAGENET_MEAN, IMAGENET_STD
from .registry import model

_SMALL = Normal(0.01)


def _conv(before: int, after: int, size: int, stride: int = 1, padding: int = 1) -> Conv2d:
    return Conv2d(before, after, size, stride, padding, weight_init=_SMALL)


def _pooled() -> list[Layer]:
    norm = LocalResponseNorm(5, 1e-4, 0.75, 2.0, alpha_per="element")
    return [ReLU(), MaxPool2d(3, 2, padding=1), norm]


@model(
    (3, 224, 224),
    IMAGENET_MEAN,
    IMAGENET_STD,
    num_classes=1000,
    dropout=0.5,
    source="Zeiler and Fergus 2014, figure 3",
)
def zfnet(num_classes: int, dropout: float) -> Graph:
    """ZFNet: 7 x 7 windows at stride 2, then 5 x 5 at stride 2; 62,357,608 parameters.

    Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014), section 3 and
    figure 3. Its sizes (110, 55, 26, 13, 6) take a border of 1 around the first window and around
    the first two poolings; the constants of the normalisation are AlexNet's.
    """
    features = Sequential(
        _conv(3, 96, 7, stride=2),
        *_pooled(),
        _conv(96, 256, 5, stride=2, padding=0),
        *_pooled(),
        _conv(256, 384, 3),
        ReLU(),
        _conv(384, 384, 3),
        ReLU(),
        _conv(384, 256, 3),
        ReLU(),
        MaxPool2d(3, 2),
    )
    classifier = Sequential(
        Linear(256 * 6 * 6, 4096, weight_init=_SMALL),
        ReLU(),
        Dropout(dropout),
        Linear(4096, 4096, weight_init=_SMALL),
        ReLU(),
        Dropout(dropout),
        Linear(4096, num_classes, weight_init=_SMALL),
    )
    return Sequential({"features": features, "flatten": Flatten(), "classifier": classifier})
