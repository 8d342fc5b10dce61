"""How the emulated GPU runs kernels: fast or under checks, and in which order its threads run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from ..errors import OptionError

MODES = ("fast", "check")
ORDERS = ("ascending", "descending", "random")


@dataclass(frozen=True)
class Options:
    """``mode`` "fast" (values) or "check" (every access seen); thread ``order``, ``seed`` of it."""

    mode: str = "fast"
    order: str = "ascending"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (("mode", self.mode, MODES), ("order", self.order, ORDERS)):
            if value not in known:
                raise OptionError(
                    f"emulator: unknown {name} {value!r}; expected one of {', '.join(known)}"
                )


_OPTIONS: ContextVar[Options | None] = ContextVar("gpuconv_emulator", default=None)


def current_options() -> Options:
    """The options in force: those of ``options(...)``, else mode ``$GPUCONV_EMULATOR``."""
    chosen = _OPTIONS.get()
    return chosen or Options(os.environ.get("GPUCONV_EMULATOR", "fast"))


@contextmanager
def options(**changes: str | int) -> Iterator[Options]:
    """Run kernels differently inside: ``mode``, ``order``, ``seed``; raises OptionError."""
    unknown = set(changes) - set(Options.__dataclass_fields__)
    if unknown:
        raise OptionError(
            f"emulator: unknown option {', '.join(sorted(unknown))}; expected "
            f"{', '.join(Options.__dataclass_fields__)}"
        )
    made = replace(current_options(), **changes)  # type: ignore[arg-type]
    token = _OPTIONS.set(made)
    try:
        yield made
    finally:
        _OPTIONS.reset(token)
