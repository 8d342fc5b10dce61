"""What response normalisation means in a net: papers and frameworks differ. Travels with weights.

The parameters of a net do not say it, and weights that were trained with one are of no use with
another.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass

from ..errors import DataError, OptionError
from ..layers import Layer, LocalResponseNorm
from ..shapes import integer, real

KEY = "gpuconv.lrn"  # its place in the metadata of a file of weights


@dataclass(frozen=True)
class ResponseNorm:
    """What every LocalResponseNorm of a net computes, in its own names; raises OptionError."""

    size: int
    alpha: float
    beta: float
    k: float
    alpha_per: str

    def __post_init__(self) -> None:
        integer(self.size, "lrn: size", 1)
        for name in ("alpha", "beta", "k"):
            real(getattr(self, name), f"lrn: {name}")
        if self.alpha_per not in ("size", "element"):
            raise OptionError(
                f"lrn: alpha_per must be 'size' or 'element', got {self.alpha_per!r:.40}"
            )

    @classmethod
    def of(cls, net: Layer) -> "ResponseNorm | None":
        """That of a net; None where there is none, or not one for all."""
        found = {norm.options for norm in _norms(net)}
        return cls(*found.pop()) if len(found) == 1 else None

    def put_on(self, net: Layer, where: str) -> None:
        """Let every LocalResponseNorm compute this; raises OptionError for a net that has none.

        ``where`` says who wants it.
        """
        norms = list(_norms(net))
        if not norms:
            raise OptionError(
                f"{where}: says how responses are normalised (lrn), but the net has no "
                "LocalResponseNorm; another model, as alexnet_2012?"
            )
        for norm in norms:
            norm.options = astuple(self)

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str, where: str) -> "ResponseNorm":
        """From JSON that came from ``where``; raises DataError if it is not what dumps gives."""
        try:
            return cls(**json.loads(text))
        except (OptionError, RecursionError, TypeError, ValueError) as error:
            raise DataError(f"{where}: no such normalisation ({str(error)[:80]})") from None


def _norms(net: Layer) -> Iterator[LocalResponseNorm]:
    if isinstance(net, LocalResponseNorm):
        yield net
    for child in net.children().values():
        yield from _norms(child)
