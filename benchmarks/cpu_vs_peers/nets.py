"""Whole nets: a training step, or inference, ours and the peers'. Every rival does the same work.

Nets have no dropout here, so that losses can be compared: cross-entropy, SGD with momentum 0.9 and
weight decay 5e-4 (PyTorch's fused).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpuconv import models, registry
from gpuconv.layers import CrossEntropyLoss
from gpuconv.limits import limits
from gpuconv.random import Stream
from gpuconv.training.optimizers import SGD
from gpuconv.training.step import InferenceStep, TrainStep

from .torch_net import translate

LR, MOMENTUM, DECAY = 1e-3, 0.9, 5e-4
OURS, BASELINE = "gpuconv", "gpuconv, numpy"
TORCH = {"torch NCHW": False, "torch NHWC": True}
PASSES = 3  # of the forward pass' operations that a training step takes
Call = Callable[[], Any]


@dataclass(frozen=True)
class Work:
    """A net, its batch, and whether it is trained."""

    net: str
    batch: int
    is_training: bool
    wanted: float | None = (
        None  # the ratio to PyTorch's better format that this project holds itself to
    )

    def __str__(self) -> str:
        what = "training step" if self.is_training else "inference"
        return f"{self.net}, {what}, batch {self.batch}"

    @property
    def flops(self) -> int:
        """Operations of direct convolution: a training step's are about three forward passes'."""
        once = models.create(self.net).flops((self.batch, *models.get(self.net).input_shape))
        return PASSES * once if self.is_training else once

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Random images and labels."""
        shape = (self.batch, *models.get(self.net).input_shape)
        images = Stream(1).normal(shape).astype(np.float32)
        labels = Stream(2).words(self.batch) % models.get(self.net).num_classes
        return images, labels.astype(np.int64)


WORK = (
    Work("lenet5", 64, True, 2.0),
    Work("alexnet", 16, True, 2.2),
    Work("alexnet", 64, True, 2.0),
    Work("alexnet", 1, False, 1.7),
    Work("alexnet", 16, False, 1.9),
    Work("alexnet_2012", 16, True, 2.0),
    Work("resnet18", 16, True, 1.4),
    Work("resnet50", 16, True, 1.2),
    Work("vgg16", 4, True, 2.0),
)


def numpy_only() -> Any:
    """Limits under which every op takes NumPy's kernel: the baseline of all benchmarks."""
    return limits(plan=dict.fromkeys(registry.ops(), "numpy"))


def ours(work: Work) -> Call:
    """A step of ours; returns the loss or the prediction."""
    net, (images, labels) = models.create(work.net, dropout=0), work.data()
    if not work.is_training:
        infer = InferenceStep(net)
        return lambda: infer(images)
    optimizer = SGD(net.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    step = TrainStep(net, CrossEntropyLoss(), optimizer)
    return lambda: float(step(images, labels))


def baseline(work: Work) -> Call:
    """The same step with NumPy's kernels."""
    step = ours(work)

    def call() -> Any:
        with numpy_only():
            return step()

    return call


def torch_step(work: Work, *, channels_last: bool) -> Call:
    """The same step of PyTorch's."""
    import torch

    net = translate(models.create(work.net, dropout=0), channels_last=channels_last)
    images, labels = map(torch.from_numpy, work.data())
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    return _train(torch, net, images, labels) if work.is_training else _infer(torch, net, images)


def _train(torch: Any, net: Any, images: Any, labels: Any) -> Call:
    options = {"lr": LR, "momentum": MOMENTUM, "weight_decay": DECAY, "fused": True}
    optimizer = torch.optim.SGD(net.parameters(), **options)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _infer(torch: Any, net: Any, images: Any) -> Call:
    net.eval()

    def step() -> Any:
        with torch.inference_mode():
            return net(images).numpy()

    return step
