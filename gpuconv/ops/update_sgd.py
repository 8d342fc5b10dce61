"""One step of stochastic gradient descent, as a function."""

import numpy as np

from ..errors import OptionError
from ..kernels.sgd import op as declared
from ._call import call, float_array, numerics


def require_sgd(
    op: str, velocity: np.ndarray | None, momentum: float, nesterov: bool, form: str
) -> None:
    """Raise OptionError for options that do not go together."""
    if form not in declared.FORMS:
        raise OptionError(
            f"{op}: unknown form {form!r}; expected one of {', '.join(declared.FORMS)}"
        )
    if momentum and velocity is None:
        raise OptionError(f"{op}: momentum needs a velocity array")
    if nesterov and not momentum:
        raise OptionError(f"{op}: nesterov needs momentum > 0")


def sgd(
    parameter: np.ndarray,
    gradient: np.ndarray,
    velocity: np.ndarray | None,
    lr: np.ndarray,
    *,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    form: str = "torch",
    algorithm: str | None = None,
) -> None:
    """Update flat ``parameter`` and ``velocity`` (n,) in place; ``lr`` is a 0-d array.

    ``form`` "torch" keeps the learning rate outside the velocity, "paper" inside (see the op's
    reference). ``velocity`` may be None without momentum. Raises OptionError, ShapeError or
    DtypeError.
    """
    dtype = float_array("sgd", "parameter", parameter, 1)
    require_sgd("sgd", velocity, momentum, nesterov, form)
    options = momentum, weight_decay, nesterov, form
    problem = declared.SGDProblem(parameter.size, *options, **numerics(dtype))
    call(declared.sgd, problem, gradient, lr, updates=(parameter, velocity), algorithm=algorithm)
