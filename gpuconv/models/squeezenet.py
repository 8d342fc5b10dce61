"""SqueezeNet: AlexNet's accuracy with a fiftieth of its parameters."""

from ..graph import Graph, Sequential
from ..layers import AdaptiveAvgPool2d, Concat, Conv2d, Dropout, Flatten, MaxPool2d, ReLU
from ..layers.init import Kaiming, Normal
from .alexnet import IMAGENET_MEAN, IMAGENET_STD
from .registry import model

_INIT = Kaiming(distribution="uniform")


def _fire(before: int, squeezed: int, expanded: int) -> Graph:
    """A 1 x 1 convolution to few channels, then 1 x 1 and 3 x 3 side by side (figure 1)."""
    g = Graph()
    h = g.apply(Conv2d(before, squeezed, 1, weight_init=_INIT), g.input("x"), name="squeeze")
    h = g.apply(ReLU(), h, name="squeeze_activation")
    branches = []
    for size in (1, 3):
        conv = Conv2d(squeezed, expanded, size, padding=size // 2, weight_init=_INIT)
        branch = g.apply(conv, h, name=f"expand{size}x{size}")
        branches.append(g.apply(ReLU(), branch, name=f"expand{size}x{size}_activation"))
    g.apply(Concat(), *branches)
    return g


def _halve() -> MaxPool2d:
    return MaxPool2d(3, 2, ceil_mode=True)


@model(
    (3, 224, 224),
    IMAGENET_MEAN,
    IMAGENET_STD,
    num_classes=1000,
    dropout=0.5,
    source="Iandola et al. 2016, table 1, version 1.1",
)
def squeezenet(num_classes: int, dropout: float) -> Graph:
    """SqueezeNet 1.1, shapes and names of torchvision's squeezenet1_1; 1,235,496 parameters.

    Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (2016), table 1;
    version 1.1 begins with 64 filters of 3 x 3 and pools earlier, for 2.4 times less work.
    """
    features = Sequential(
        Conv2d(3, 64, 3, stride=2, weight_init=_INIT),
        ReLU(),
        _halve(),
        _fire(64, 16, 64),
        _fire(128, 16, 64),
        _halve(),
        _fire(128, 32, 128),
        _fire(256, 32, 128),
        _halve(),
        _fire(256, 48, 192),
        _fire(384, 48, 192),
        _fire(384, 64, 256),
        _fire(512, 64, 256),
    )
    classifier = Sequential(
        Dropout(dropout),
        Conv2d(512, num_classes, 1, weight_init=Normal(0.01)),
        ReLU(),
        AdaptiveAvgPool2d(1),
    )
    return Sequential({"features": features, "classifier": classifier, "flatten": Flatten()})
