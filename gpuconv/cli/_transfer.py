"""gpuconv train --weights, --freeze, --lr-scale: a net starts from what another learned."""

from collections.abc import Sequence

from ..errors import GraphError, OptionError
from ..layers import Layer
from ..layers.transfer import head_names
from ..weights import load
from ._app import out


def start_from(net: Layer, path: str) -> None:
    """Load weights; a head for another number of classes is left as it was drawn, and said so.

    Raises StateError for all else that does not fit, and what reading the file raises.
    """
    state = dict(load(path))
    fresh = net.state_dict()
    new = [n for n in _head(net) if n in state and _is_longer_or_shorter(state[n], fresh[n])]
    if new:
        there, here = len(state[new[0]]), len(fresh[new[0]])
        out.print(
            f"weights: {path} has {there} classes and the data {here}: {' and '.join(new)} "
            "start anew"
        )
    net.load_state_dict(state | {name: fresh[name] for name in new})


def _head(net: Layer) -> list[str]:
    try:
        return head_names(net)
    except GraphError:  # nothing that could be made anew: all must fit
        return []


def _is_longer_or_shorter(given, here) -> bool:  # type: ignore[no-untyped-def]
    """Whether two arrays differ in the number of their rows alone."""
    return len(given.shape) == len(here.shape) and (
        given.shape[1:] == here.shape[1:] and given.shape != here.shape
    )


def factors(given: Sequence[str]) -> dict[str, float]:
    """NAME=FACTOR entries as a dict; raises OptionError for anything else, or a name twice."""
    found: dict[str, float] = {}
    for entry in given:
        name, _, factor = entry.partition("=")
        try:
            value = float(factor)
        except ValueError:
            value = -1.0
        if not name or not 0 <= value < float("inf"):
            raise OptionError(f"--lr-scale {entry}: expected NAME=FACTOR, as features=0.1")
        if name in found:
            raise OptionError(f"--lr-scale {entry}: {name} has a factor already; name it once")
        found[name] = value
    return found
