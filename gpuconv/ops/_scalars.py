"""Numbers that go with a call: 0-d arrays for what changes between calls."""

from math import inf
from numbers import Real
from typing import Any

import numpy as np

from .. import device as devices
from ..cpu import recording
from ..errors import OptionError
from ..random import Stream
from ..shapes import real


def scalar(value: Any, what: str, like: np.ndarray, minimum: float = -inf) -> Any:
    """A number as a 0-d array of ``like``'s dtype and device; an array is handed on unread.

    Raises OptionError for a number that is not finite or below ``minimum``; the values of an array
    are not looked at, since that would make the host wait for a GPU.
    """
    if isinstance(value, Real):
        number = np.asarray(real(value, what, minimum), like.dtype)
        return devices.to_device(number, devices.of(like))
    return value


def place(op: str, stream: Any, like: np.ndarray) -> tuple:
    """seed, step and stream of a Stream as 0-d arrays on ``like``'s device, else OptionError.

    The step is the one that changes: a recording has one array for it.
    """
    if not isinstance(stream, Stream):
        raise OptionError(
            f"{op}: stream must be a gpuconv.random.Stream(seed, step, stream), got {stream!r}"
        )
    here, record = devices.of(like, op), recording.current()
    step = np.asarray(stream.step) if record is None else record.number("step", stream.step)
    numbers = np.asarray(stream.seed, "uint64"), step, np.asarray(stream.stream)
    return tuple(devices.to_device(number, here) for number in numbers)
