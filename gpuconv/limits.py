"""Limits that hold inside a ``with`` block for every op that is called there."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from .errors import OptionError

PRECISIONS = ("fp32", "fp32x3", "tf32", "bf16", "fp16")


@dataclass(frozen=True)
class Limits:
    """What a kernel may use: workspace in bytes, relative error, and the fp32 arithmetic."""

    max_workspace: int | None = None
    precision: str = "fp32"
    max_error: float | None = None
    deterministic: bool = True

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise OptionError(
                f"limits: unknown precision {self.precision!r}; expected one of "
                f"{', '.join(PRECISIONS)}"
            )
        for name in ("max_workspace", "max_error"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value >= 0):
                raise OptionError(f"limits: {name} must be >= 0 or None, got {value!r}")

    def objection(self, workspace: int, error: float, deterministic: bool) -> str | None:
        """Why a kernel with these figures is over the limits, or None."""
        if self.max_workspace is not None and workspace > self.max_workspace:
            return (
                f"needs {workspace:,} bytes of workspace, over max_workspace={self.max_workspace:,}"
            )
        if self.max_error is not None and error > self.max_error:
            return f"has relative error up to {error:.1e}, over max_error={self.max_error:.1e}"
        if self.deterministic and not deterministic:
            return "is not deterministic (limits(deterministic=False) allows it)"
        return None


_NONE = Limits()
_LIMITS: ContextVar[Limits] = ContextVar("gpuconv_limits", default=_NONE)


def current_limits() -> Limits:
    """The limits in force here."""
    return _LIMITS.get()


@contextmanager
def limits(**changes: object) -> Iterator[Limits]:
    """Limit the kernels chosen inside: ``max_workspace`` (bytes), ``precision``, ``max_error``
    (relative), ``deterministic``; what is not named stays. Raises OptionError on a bad value."""
    unknown = set(changes) - set(Limits.__dataclass_fields__)
    if unknown:
        raise OptionError(
            f"limits: unknown limit {', '.join(sorted(unknown))}; expected "
            f"{', '.join(Limits.__dataclass_fields__)}"
        )
    token = _LIMITS.set(replace(_LIMITS.get(), **changes))  # type: ignore[arg-type]
    try:
        yield _LIMITS.get()
    finally:
        _LIMITS.reset(token)
