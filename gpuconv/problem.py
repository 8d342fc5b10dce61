"""Problem: every size and static option of one call of an Op."""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, ClassVar, Self

from . import formats
from .shapes import Shape

# Spacing of numbers near 1, and the smallest normal number. fp32x3 carries a float32 as two tf32
# numbers of 11 bits; tf32 and bf16 have float32's exponent.
EPS = {"fp64": 2**-52, "fp32": 2**-23, "fp32x3": 2**-21, "tf32": 2**-10, "bf16": 2**-7}
EPS["fp16"] = 2**-10
TINY = {"fp64": 2.0**-1022, **dict.fromkeys(("fp32", "fp32x3", "tf32", "bf16"), 2.0**-126)}
TINY["fp16"] = 2.0**-14
KEPT = 4096  # answers about problems


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Every size and static option of one call: the key of tests, benchmarks and plans.

    ``precision`` is the arithmetic's: "fp64" for float64, "fp32" unless said otherwise. The arrays
    that ``formatted`` names (N, C, ...), and their gradients, lie in ``format``; formats.py.
    """

    formatted: ClassVar[tuple[str, ...]] = ()
    dtype: str = "float32"
    precision: str = ""
    epilogue: str = ""
    format: str = formats.NCHW

    def __post_init__(self) -> None:
        if not self.precision:
            object.__setattr__(self, "precision", "fp64" if self.dtype == "float64" else "fp32")

    def shapes(self) -> dict[str, Shape]:
        """Shape of every array by name; a gradient ``dx`` has the shape of ``x``."""
        raise NotImplementedError

    def dtypes(self) -> dict[str, str]:
        """Dtype of the arrays that do not have the problem's."""
        return {}

    def spec(self, name: str) -> tuple[Shape, str]:
        """Shape, in the problem's format, and dtype of the array ``name``."""
        return _spec(self, name)

    def plain_shape(self, name: str) -> Shape:
        """Shape of the array ``name`` in NCHW."""
        return _plain_shape(self, name)

    def is_formatted(self, name: str) -> bool:
        """Whether the array ``name`` lies in the problem's format."""
        return name in self.formatted or name.removeprefix("d") in self.formatted

    @property
    def eps(self) -> float:
        """Spacing of numbers near 1 in the declared precision."""
        return EPS[self.precision]

    @property
    def tiny(self) -> float:
        """Smallest normal number of the declared precision."""
        return TINY[self.precision]

    def astype(self, dtype: str) -> Self:
        """The same problem in another dtype, in its own precision."""
        return replace(self, dtype=dtype, precision="")

    def __str__(self) -> str:
        named = [f.name for f in fields(self) if f.name not in ("precision", "format")]
        named += ["format"] if self.format != formats.NCHW else []
        return " ".join(f"{name}={getattr(self, name)}".replace(" ", "") for name in named)

    @property
    def plain(self) -> Self:
        """The same problem in NCHW."""
        return self.in_format(formats.NCHW)

    def in_format(self, format: str) -> Self:
        """The same problem in this format."""
        return self if self.format == format else _in_format(self, format)


# A net asks the same of the same problems at every step.


@lru_cache(KEPT)
def _spec(problem: Problem, name: str) -> tuple[Shape, str]:
    shape = problem.plain_shape(name)
    if problem.format != formats.NCHW and problem.is_formatted(name):
        shape = formats.shape_in(shape, problem.format)
    return shape, problem.dtypes().get(name, problem.dtype)


@lru_cache(KEPT)
def _plain_shape(problem: Problem, name: str) -> Shape:
    shapes = problem.shapes()
    return shapes[name] if name in shapes else shapes[name.removeprefix("d")]


@lru_cache(KEPT)
def _in_format(problem: Any, format: str) -> Any:
    return replace(problem, format=format)
