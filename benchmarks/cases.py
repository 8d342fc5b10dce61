"""What is timed: ops on the shapes of nets, of published layers, or of the user's own.

A net's come from running it with kernels that compute nothing (gpuconv/tracing.py), so that a new
model or a new op is in without a line here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from gpuconv import models, registry
from gpuconv.cpu import memory
from gpuconv.errors import OptionError
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.layers import CrossEntropyLoss, Layer
from gpuconv.problem import Problem
from gpuconv.shapes import padding4, pair
from gpuconv.tracing import tracing

from .places import Place, places

SMALL_IMAGE = 64  # pixels on a side: up to there a net gets the larger batch
BATCHES = 64, 16
# Howard et al. 2017, "MobileNets", table 1: channels, image side, stride of each depthwise layer
DEPTHWISE = (
    *((32, 112, 1), (64, 112, 2), (128, 56, 1), (128, 56, 2), (256, 28, 1)),
    *((256, 28, 2), (512, 14, 1), (512, 14, 2), (1024, 7, 1)),
)
GRADIENTS = {"conv2d": ("conv2d", "conv2d_input", "conv2d_weight")}


@dataclass(frozen=True)
class Case:
    """One op on one problem, and the layers that ask for it."""

    net: str
    layers: tuple[str, ...]
    op: str
    problem: Problem

    @property
    def name(self) -> str:
        """The net and the first of the layers, and how many more there are."""
        more = f" (x{len(self.layers)})" if len(self.layers) > 1 else ""
        return f"{self.net} {self.layers[0]}{more}".strip()


def shapes() -> list[str]:
    """Every name that ``cases`` knows, beside shapes that are written out."""
    return [*models.models(), "depthwise"]


def known_shape(name: str, command: str = "bench") -> str:
    """The full name of shapes: a unique beginning will do, or the first model's of several.

    Raises OptionError that lists what there is and names the nearest.
    """
    found = [known for known in shapes() if known.startswith(name)]
    if not found:
        said = unknown("shapes", name, shapes(), command)
        raise OptionError(f"{said}; or write them out: n=1,c=3,h=32")
    return min(found, key=len)


def unknown(what: str, name: str, known: Iterable[str], command: str = "bench") -> str:
    """One line: there is no such name, did you mean that one, these exist."""
    names = list(known)
    near = get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"{command}: unknown {what} {name!r}{hint} there are {', '.join(names)}"


def cases(name: str, ops: Iterable[str] = (), batch_size: int | None = None) -> list[Case]:
    """The cases of a net, of "depthwise", or of a shape as ``n=1,c=3,...`` for each of ``ops``.

    ``ops``: those wanted, default all. Raises OptionError for what it does not know.
    """
    wanted = list(ops)
    if "=" in name:
        return [_written(op, name, batch_size) for op in wanted or GRADIENTS["conv2d"]]
    full = known_shape(name)
    found = _depthwise(batch_size) if full == "depthwise" else of_net(full, batch_size)
    return [case for case in found if not wanted or case.op in wanted]


def batch_for(name: str) -> int:
    """Images in a batch unless told otherwise: 64 small ones, or 16."""
    return BATCHES[max(models.get(name).input_shape[1:]) > SMALL_IMAGE]


def of_net(name: str, batch_size: int | None = None) -> list[Case]:
    """Every op of one training step of a model, its loss included, without the optimiser."""
    net = models.create(name, dropout=0)
    count = batch_for(name) if batch_size is None else batch_size
    found: dict[tuple[str, Problem], list[str]] = {}
    for number, place in enumerate(places(net, ((count, *net.input_shape),), "")):
        for key in _calls(place, is_first=number == 0):
            found.setdefault(key, []).append(place.name.strip())
    classes = models.get(name).num_classes
    loss = Place("loss", CrossEntropyLoss(), ((count, classes), (count,)))
    found.update({key: ["loss"] for key in _calls(loss)})
    return [Case(name, tuple(layers), *key) for key, layers in found.items()]


def _calls(place: Place, is_first: bool = False) -> list[tuple[str, Problem]]:
    """The ops that a layer's two passes take; nobody needs the gradient of images or labels."""
    _leave_undrawn(place.layer)
    xs = [memory.empty(shape, "float32") for shape in place.shapes]
    need: Any = not is_first if len(xs) == 1 else (True,) * len(xs)
    if isinstance(place.layer, CrossEntropyLoss):
        xs[1], need = np.zeros(place.shapes[1], np.int64), (True, False)
    with tracing() as trace:
        y, saved = place.layer.forward(*xs, train=True)
        place.layer.backward(1.0 if y.ndim == 0 else y, saved, need_dx=need)
        return trace.problems()


def _leave_undrawn(layer: Layer) -> None:
    """Nobody reads the values: drawing a large net's takes seconds."""
    for parameter in layer.parameters():
        if not parameter.drawn:
            parameter.value = memory.empty(parameter.shape, "float32")
            parameter.grad = None


def _depthwise(batch_size: int | None) -> list[Case]:
    found = []
    for op in GRADIENTS["conv2d"]:
        for c, side, stride in DEPTHWISE:
            problem = Conv2dProblem(
                batch_size or BATCHES[1], c, side, side, c, 3, 3, (stride, stride),
                ((1, 1), (1, 1)), groups=c,
            )  # fmt: skip
            found.append(Case("depthwise", (f"{c}x{side}x{side} /{stride}",), op, problem))
    return found


def _written(op: str, text: str, batch_size: int | None) -> Case:
    """A shape as ``n=1,c=3,h=32,w=32,k=8,r=3,s=3,padding=1``: fields of the op's problem."""
    kind = registry.get_op(op).problem
    common = [f.name for f in fields(Problem)]
    names = [f.name for f in fields(kind) if f.name not in common]
    given = dict(_pairs(text))
    for name in given:
        if name not in names:
            raise OptionError(unknown(f"size of {op}", name, names, "shapes"))
    if batch_size is not None and "n" in names:
        given["n"] = batch_size
    try:
        problem = _checked(kind(**given))
    except (TypeError, ArithmeticError):
        raise OptionError(f"shapes: {op} {text}: expected numbers for {', '.join(names)}") from None
    return Case("", (text,), op, problem)


def _pairs(text: str) -> Iterator[tuple[str, Any]]:
    """Names and values: a number, or two as 3x3."""
    for entry in filter(None, text.replace(" ", ",").split(",")):
        name, _, value = entry.partition("=")
        try:
            numbers = tuple(map(_number, value.split("x")))
        except ValueError:
            raise OptionError(f"shapes: {entry}: expected a number, or two as 3x3") from None
        made: Any = numbers[0] if len(numbers) == 1 else numbers
        yield name, _SHAPED[name](made, f"shapes: {name}") if name in _SHAPED else made


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() else float(text)


_SHAPED: dict[str, Any] = {"padding": padding4, "stride": pair, "dilation": pair, "kernel": pair}


def _checked(problem: Problem) -> Problem:
    """The problem, if every array of it has a size."""
    groups = getattr(problem, "groups", 1)
    if groups < 1 or getattr(problem, "c", 0) % groups or getattr(problem, "k", 0) % groups:
        raise OptionError(f"shapes: {problem}: groups={groups} must divide the channels c and k")
    for name, shape in problem.shapes().items():
        if not all(isinstance(size, int) and size >= 1 for size in shape):
            raise OptionError(f"shapes: {problem}: {name} would have shape {shape}")
    return problem
