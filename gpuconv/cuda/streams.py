"""Streams and events: launches that run beside each other, and the time between two points.

On a CUDA GPU they are CuPy's. On the emulated GPU a launch is done when its call returns: a stream
changes nothing there, and an event notes the CPU's clock.
"""

from time import perf_counter
from types import TracebackType
from typing import Any

from ..errors import DeviceError, OptionError
from .driver import missing

GPUS = ("cuda", "emulated")


def _gpu(what: str, device: object) -> str:
    """``device`` as a kind; raises DeviceError unless it is a GPU that is here."""
    kind = str(device)
    if kind not in GPUS:
        raise DeviceError(f"{what}: expected device 'cuda' or 'emulated', got {device!r}")
    reason = missing() if kind == "cuda" else None
    if reason is not None:
        raise DeviceError(
            f"{what}: device 'cuda' is not available: {reason}; 'emulated' has streams too"
        )
    return kind


class Stream:
    """A queue of launches: those made inside ``with stream:`` run in order, beside other queues.

    ``device`` is "cuda" or "emulated"; raises DeviceError for another, or where there is no GPU.
    """

    def __init__(self, device: object = "cuda") -> None:
        self.device = _gpu("Stream", device)
        self._stream: Any = None
        if self.device == "cuda":
            import cupy

            self._stream = cupy.cuda.Stream()

    def __enter__(self) -> "Stream":
        if self._stream is not None:
            self._stream.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.__exit__(kind, error, trace)

    def synchronize(self) -> None:
        """Wait until everything that was launched into the stream is done."""
        if self._stream is not None:
            self._stream.synchronize()


class Event:
    """A point in a stream; ``start.elapsed_time(end)`` is the time between two of them.

    ``device`` is "cuda" or "emulated"; ``clock`` says whose time it is: "gpu", or "cpu" on the
    emulated GPU, where it tells how long the emulator took and nothing about a GPU. Raises
    DeviceError as Stream does.
    """

    def __init__(self, device: object = "cuda") -> None:
        self.device = _gpu("Event", device)
        self.clock = "gpu" if self.device == "cuda" else "cpu"
        self._event: Any = None
        self._time: float | None = None  # of the CPU, when it was recorded
        if self.device == "cuda":
            import cupy

            self._event = cupy.cuda.Event()

    def record(self, stream: Stream | None = None) -> "Event":
        """Take the place behind everything launched so far into ``stream``, or the current one.

        Recording again moves it. Raises DeviceError for a stream of another device.
        """
        if stream is not None and stream.device != self.device:
            raise DeviceError(
                f"Event.record: the event is on {self.device}, the stream on {stream.device}"
            )
        if self._event is not None:
            self._event.record(None if stream is None else stream._stream)
        self._time = perf_counter()
        return self

    def synchronize(self) -> None:
        """Wait until the device has come to the event; raises OptionError if it has no place."""
        self._require_recorded("synchronize")
        if self._event is not None:
            self._event.synchronize()

    def elapsed_time(self, end: "Event") -> float:
        """Milliseconds from this event to ``end``, which is waited for.

        Raises OptionError for events that were not recorded, DeviceError for two devices.
        """
        if not isinstance(end, Event):
            raise OptionError(f"Event.elapsed_time: expected an Event, got {end!r}")
        if end.device != self.device:
            raise DeviceError(
                f"Event.elapsed_time: the events are on {self.device} and {end.device}"
            )
        start_time = self._require_recorded("elapsed_time")
        end_time = end._require_recorded("elapsed_time")
        if self._event is None:
            return (end_time - start_time) * 1e3
        import cupy

        end.synchronize()
        return float(cupy.cuda.get_elapsed_time(self._event, end._event))

    def _require_recorded(self, what: str) -> float:
        if self._time is None:
            raise OptionError(f"Event.{what}: the event was not recorded; call record() first")
        return self._time
