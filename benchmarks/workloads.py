"""The work that kernels are timed on: the layers of LeNet-5, AlexNet, VGG-16 and ResNet-50.

Shapes of LeCun et al. 1998 (sec. II.B), Krizhevsky 2014 (torchvision's AlexNet), Simonyan and
Zisserman 2015 (table 1, D) and He et al. 2016 (table 1; strides in the 3x3, "v1.5").
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from gpuconv.kernels.array.op import ArrayProblem
from gpuconv.kernels.batch_norm.op import BatchNormProblem
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.kernels.elementwise import ElementwiseProblem
from gpuconv.kernels.linear.op import LinearProblem
from gpuconv.kernels.lrn.op import LrnProblem
from gpuconv.kernels.pool2d.op import Pool2dProblem
from gpuconv.kernels.sgd.op import SGDProblem
from gpuconv.problem import Problem

# net -> batch, and (layer, channels in, image side, filters, kernel side, stride, padding)
CONVOLUTIONS = {
    "lenet5": (64, [("conv1", 1, 28, 6, 5, 1, 2), ("conv2", 6, 14, 16, 5, 1, 0)]),
    "alexnet": (
        128,
        [
            ("conv1", 3, 224, 64, 11, 4, 2),
            ("conv2", 64, 27, 192, 5, 1, 2),
            ("conv3", 192, 13, 384, 3, 1, 1),
            ("conv4", 384, 13, 256, 3, 1, 1),
            ("conv5", 256, 13, 256, 3, 1, 1),
        ],
    ),
    "vgg16": (
        32,
        [
            ("conv1_1", 3, 224, 64, 3, 1, 1),
            ("conv1_2", 64, 224, 64, 3, 1, 1),
            ("conv2_1", 64, 112, 128, 3, 1, 1),
            ("conv2_2", 128, 112, 128, 3, 1, 1),
            ("conv3_1", 128, 56, 256, 3, 1, 1),
            ("conv3_2", 256, 56, 256, 3, 1, 1),
            ("conv4_1", 256, 28, 512, 3, 1, 1),
            ("conv4_2", 512, 28, 512, 3, 1, 1),
            ("conv5_1", 512, 14, 512, 3, 1, 1),
        ],
    ),
    "resnet50": (
        64,
        [
            ("conv1", 3, 224, 64, 7, 2, 3),
            ("conv2_1x1", 256, 56, 64, 1, 1, 0),
            ("conv2_3x3", 64, 56, 64, 3, 1, 1),
            ("conv3_3x3_s2", 128, 56, 128, 3, 2, 1),
            ("conv3_projection", 256, 56, 512, 1, 2, 0),
            ("conv3_3x3", 128, 28, 128, 3, 1, 1),
            ("conv4_3x3", 256, 14, 256, 3, 1, 1),
            ("conv4_1x1", 256, 14, 1024, 1, 1, 0),
            ("conv5_3x3", 512, 7, 512, 3, 1, 1),
        ],
    ),
}


@dataclass(frozen=True)
class Workload:
    """One op of one layer."""

    name: str
    op: str
    problem: Problem


def workloads() -> Iterator[Workload]:
    """Every workload, the convolutions net by net, then what AlexNet and ResNet do besides."""
    for net, (batch, layers) in CONVOLUTIONS.items():
        for layer, c, side, k, kernel, stride, pad in layers:
            padding = ((pad, pad), (pad, pad))
            problem = Conv2dProblem(
                batch, c, side, side, k, kernel, kernel, (stride, stride), padding
            )
            for op in ("conv2d", "conv2d_input", "conv2d_weight"):
                if not (op == "conv2d_input" and layer in ("conv1", "conv1_1")):
                    yield Workload(f"{net} {layer}", op, problem)
    yield from _others()


def _others() -> Iterator[Workload]:
    for layer, i, o in (("fc6", 9216, 4096), ("fc8", 4096, 1000)):
        for op in ("linear", "linear_input", "linear_weight"):
            yield Workload(f"alexnet {layer}", op, LinearProblem(128, i, o))
    relu = ElementwiseProblem((128, 64, 55, 55))
    pool = Pool2dProblem(128, 64, 55, 55, (3, 3), (2, 2))
    norm = BatchNormProblem(64, 256, 56 * 56)
    for op in ("relu", "relu_backward"):
        yield Workload("alexnet relu1", op, relu)
    for op in ("max_pool2d", "max_pool2d_backward"):
        yield Workload("alexnet pool1", op, pool)
    for op in ("batch_norm", "batch_norm_backward"):
        yield Workload("resnet50 conv2 bn", op, norm)
    for op in ("lrn", "lrn_backward"):
        yield Workload("alexnet_2012 norm1", op, LrnProblem(128, 96, 55 * 55, 5, 1e-4, 0.75, 2.0))
    yield Workload("resnet50 conv2 add", "add", ArrayProblem((64, 256, 56, 56)))
    yield Workload("alexnet sgd", "sgd", SGDProblem(61_100_840, momentum=0.9, weight_decay=5e-4))


SMALL = {"n": 1, "c": 4, "h": 9, "w": 9, "k": 4, "i": 40, "o": 24, "size": 1000}


def shrunk(workload: Workload) -> Workload:
    """The same kind of work, small enough for an emulated GPU."""
    problem = workload.problem
    sizes = {f.name: getattr(problem, f.name) for f in fields(problem)}
    small: dict[str, Any] = {
        n: min(SMALL[n], v) for n, v in sizes.items() if n in SMALL and isinstance(v, int)
    }
    if "shape" in sizes:
        small["shape"] = (1, *(min(6, size) for size in sizes["shape"][1:]))
    if "s" in sizes and "r" not in sizes:  # positions of a plane
        small["s"] = min(49, sizes["s"])
    return replace(workload, problem=replace(problem, **small))
