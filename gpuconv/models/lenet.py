"""LeNet-5, as taught today and as published."""

from ..graph import Graph, Sequential
from ..layers import (
    RBF,
    AvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    TableConv2d,
    Tanh,
)
from ..layers.init import Constant, Uniform, Xavier
from ..layers.lenet import LENET5_TABLE
from .registry import model

_ZERO = Constant(0.0)


@model(
    input_shape=(1, 28, 28),
    mean=(0.1307,),
    std=(0.3081,),
    lr=0.05,
    source="after LeCun et al. 1998",
)
def lenet5(num_classes: int, dropout: float) -> Graph:
    """LeNet-5 as taught today: full connections, ReLU, max pooling; 61,706 parameters."""
    return Sequential(
        {
            "conv1": Conv2d(1, 6, 5, padding=2),
            "relu1": ReLU(),
            "pool1": MaxPool2d(2),
            "conv2": Conv2d(6, 16, 5),
            "relu2": ReLU(),
            "pool2": MaxPool2d(2),
            "flatten": Flatten(),
            "fc1": Linear(400, 120),
            "relu3": ReLU(),
            "drop1": Dropout(dropout),
            "fc2": Linear(120, 84),
            "relu4": ReLU(),
            "drop2": Dropout(dropout),
            "fc3": Linear(84, num_classes, weight_init=Xavier()),
        }
    )


def _squash() -> Tanh:
    return Tanh(1.7159, 2 / 3)


def _subsample(channels: int) -> dict[str, Layer]:
    """Mean of four, times a trained coefficient per map, plus a trained bias, squashed."""
    affine = Conv2d(
        channels, channels, 1, groups=channels, weight_init=Constant(1.0), bias_init=_ZERO
    )
    return {"mean": AvgPool2d(2), "affine": affine, "squash": _squash()}


@model(input_shape=(1, 28, 28), mean=(0.0784,), std=(0.7843,), source="LeCun et al. 1998")
def lenet5_1998(num_classes: int, dropout: float) -> Graph:
    """LeNet-5 as published: connection table, trained subsampling, scaled tanh; 60,000 parameters.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
    (1998), section II.B and appendix A: background -0.1, foreground 1.175, weights uniform in
    +-2.4 / fan in. The 28 x 28 digits are padded to 32 x 32 with zeros.
    """
    return Sequential(
        {
            "c1": Conv2d(1, 6, 5, padding=2, weight_init=Uniform(2.4 / 25)),
            "squash1": _squash(),
            "s2": Sequential(_subsample(6)),
            "c3": TableConv2d(6, LENET5_TABLE, 5, weight_init=Uniform(2.4 / 100)),
            "squash3": _squash(),
            "s4": Sequential(_subsample(16)),
            "c5": Conv2d(16, 120, 5, weight_init=Uniform(2.4 / 400)),
            "squash5": _squash(),
            "flatten": Flatten(),
            "drop": Dropout(dropout),
            "f6": Linear(120, 84, weight_init=Uniform(2.4 / 120)),
            "squash6": _squash(),
            "rbf": RBF(84, num_classes),
        }
    )
