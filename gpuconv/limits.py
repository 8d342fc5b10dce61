"""Limits that hold inside a ``with`` block for every op that is called there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from .errors import OptionError

PRECISIONS = ("fp32", "fp32x3", "tf32", "bf16", "fp16")


@dataclass(frozen=True)
class Limits:
    """What a kernel may use: workspace in bytes, relative error, and the fp32 arithmetic.

    ``plan`` names kernels: op -> "backend:algorithm", an algorithm or a backend. A call's own
    ``algorithm`` goes before it.
    """

    max_workspace: int | None = None
    precision: str = "fp32"
    max_error: float | None = None
    deterministic: bool = True
    plan: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    _plan: tuple[tuple[str, str], ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        self._take(self.plan)
        if self.precision not in PRECISIONS:
            raise OptionError(
                f"limits: unknown precision {self.precision!r}; expected one of "
                f"{', '.join(PRECISIONS)}"
            )
        for name in ("max_workspace", "max_error"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value >= 0):
                raise OptionError(f"limits: {name} must be >= 0 or None, got {value!r}")

    def _take(self, plan: object) -> None:
        """Keep the plan in a form that can be compared; raises OptionError unless it is one."""
        pairs = tuple(plan.items()) if isinstance(plan, Mapping) else ((None, None),)
        if not all(isinstance(word, str) for pair in pairs for word in pair):
            raise OptionError(
                f"limits: plan must map names of ops to names of kernels, got {plan!r}"
            )
        object.__setattr__(self, "_plan", tuple(sorted(pairs)))

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
    (relative), ``deterministic``, ``plan`` (op -> kernel); what is not named stays. Raises
    OptionError on a bad value."""
    known = [name for name in Limits.__dataclass_fields__ if not name.startswith("_")]
    unknown = set(changes) - set(known)
    if unknown:
        raise OptionError(
            f"limits: unknown limit {', '.join(sorted(unknown))}; expected {', '.join(known)}"
        )
    token = _LIMITS.set(replace(_LIMITS.get(), **changes))  # type: ignore[arg-type]
    try:
        yield _LIMITS.get()
    finally:
        _LIMITS.reset(token)
