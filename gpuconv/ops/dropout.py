"""Dropout, as a function; its gradient is the same function of dy."""

import numpy as np

from ..kernels.dropout import op as declared
from ..random import Stream
from ..shapes import real
from ._call import call, float_array, numerics
from ._scalars import place


def dropout(x: np.ndarray, p: float, stream: Stream, *, algorithm: str | None = None) -> np.ndarray:
    """Inverted dropout: a unit is zeroed with probability ``p``, else multiplied by 1 / (1 - p).

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014),
    section 10. An element stays if its Philox word < floor((1 - p) 2^32), the same on every
    backend, so that dy with the same ``stream`` gives the gradient. ``p`` is in [0, 1]; 1 drops
    all. NaN stays NaN, dropped or not. Shapes: x any, result the same. Raises OptionError,
    DtypeError or DeviceError.
    """
    numeric = numerics(float_array("dropout", "x", x))
    problem = declared.DropoutProblem(x.shape, real(p, "dropout: p", 0.0, 1.0), **numeric)
    where = place("dropout", stream, x)
    return call(declared.dropout, problem, x, *where, algorithm=algorithm)
