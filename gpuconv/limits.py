"""Limits that hold inside a ``with`` block for every op that is called there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from . import plans
from .errors import OptionError

PRECISIONS = ("fp32", "fp32x3", "tf32", "bf16", "fp16")


@dataclass(frozen=True)
class Limits:
    """What a kernel may use: workspace in bytes, relative error, and the fp32 arithmetic.

    ``plan`` names kernels: op -> "backend:algorithm", an algorithm or a backend. A call's own
    ``algorithm`` goes before it. ``measured`` is the plan of measured times that answers where
    neither names a kernel; None: the one of this machine.
    """

    max_workspace: int | None = None
    precision: str = "fp32"
    max_error: float | None = None
    deterministic: bool = True
    plan: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)
    measured: plans.Plan | None = None
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
                f"limits: plan must map names of ops to names of kernels, or be a plan of gpuconv "
                f"tune or its file, got {plan!r}"
            )
        object.__setattr__(self, "_plan", tuple(sorted(pairs)))

    def objection(self, workspace: int, error: float, deterministic: bool) -> str | None:
        """Why a kernel with these figures is over the limits, all of them, or None."""
        found = []
        if self.max_workspace is not None and workspace > self.max_workspace:
            found.append(
                f"needs {workspace:,} bytes of workspace, over max_workspace={self.max_workspace:,}"
            )
        if self.max_error is not None and error > self.max_error:
            allowed = f"max_error={self.max_error:.1e}"
            found.append(f"has relative error up to {error:.1e}, over {allowed}")
        if self.deterministic and not deterministic:
            found.append("is not deterministic (limits(deterministic=False) allows it)")
        return ", and ".join(found) or None


_NONE = Limits()
_LIMITS: ContextVar[Limits] = ContextVar("gpuconv_limits", default=_NONE)


def current_limits() -> Limits:
    """The limits in force here."""
    return _LIMITS.get()


@contextmanager
def limits(**changes: object) -> Iterator[Limits]:
    """Limit the kernels chosen inside; what is not named stays as it was outside.

    ``max_workspace`` (bytes), ``precision``, ``max_error`` (relative), ``deterministic``, ``plan``:
    a mapping names kernels by op, and one that refuses is an error; a ``plans.Plan`` or its file
    takes the place of this machine's plan, and a kernel of it that refuses is passed over. Raises
    OptionError on a bad value, DataError for a file that cannot be read.
    """
    known = [name for name in Limits.__dataclass_fields__ if name[0] != "_" and name != "measured"]
    unknown = set(changes) - set(known)
    if unknown:
        raise OptionError(
            f"limits: unknown limit {', '.join(sorted(unknown))}; expected {', '.join(known)}"
        )
    plan = changes.get("plan")
    if isinstance(plan, str | os.PathLike | plans.Plan):
        changes["measured"] = plan if isinstance(plan, plans.Plan) else plans.load(plan)
        del changes["plan"]
    token = _LIMITS.set(replace(_LIMITS.get(), **changes))  # type: ignore[arg-type]
    try:
        yield _LIMITS.get()
    finally:
        _LIMITS.reset(token)
