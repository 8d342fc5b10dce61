"""One step of Adam or AdamW, as a function."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from .. import device as devices
from ..errors import OptionError
from ..kernels.adam import op as declared
from ..shapes import integer, real
from ._call import call, float_array, numerics
from ._scalars import scalar


def _betas(betas: Sequence[float]) -> tuple[float, float]:
    first, second = betas if isinstance(betas, Sequence) and len(betas) == 2 else (None, None)
    pair = real(first, "adam: betas[0]", 0.0), real(second, "adam: betas[1]", 0.0)
    if max(pair) >= 1.0:
        raise OptionError(f"adam: betas must be two numbers in [0, 1), got {betas!r}")
    return pair


def _step(step: Any, like: np.ndarray) -> Any:
    if not isinstance(step, Integral):
        return step
    number = np.asarray(integer(step, "adam: step", 1), "int64")
    return devices.to_device(number, devices.of(like))


def adam(
    parameter: np.ndarray,
    gradient: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    lr: np.ndarray | float,
    step: np.ndarray | int,
    *,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    algorithm: str | None = None,
) -> None:
    """Update flat ``parameter``, ``m`` and ``v`` (n,) in place, as torch.optim.Adam or AdamW.

    Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1; ``decoupled``:
    Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), algorithm 2. ``lr`` and
    ``step`` are numbers or 0-d arrays (of the parameter's dtype and int64); the first step is 1.
    Raises OptionError, ShapeError, DtypeError or DeviceError.
    """
    numeric = numerics(float_array("adam", "parameter", parameter, 1))
    epsilon = real(eps, "adam: eps", 0.0)
    decay = real(weight_decay, "adam: weight_decay", 0.0)
    options = _betas(betas), epsilon, decay, bool(decoupled)
    problem = declared.AdamProblem(parameter.size, *options, **numeric)
    ins = gradient, scalar(lr, "adam: lr", parameter, 0.0), _step(step, parameter)
    call(declared.adam, problem, *ins, updates=(parameter, m, v), algorithm=algorithm)
