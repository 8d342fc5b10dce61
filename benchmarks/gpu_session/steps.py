"""The steps of a session, in the order that they are worth: correctness before speed."""

from collections.abc import Iterator

from . import building, correctness, machine, outside, speed, training
from .items import Item, Session

STEPS = (
    machine.items,  # environment, ceilings
    building.items,  # every kernel compiled, in all processors at once
    correctness.items,  # battery
    training.right,  # losses of training steps
    outside.items,  # compute-sanitizer, tests
    correctness.further,  # instructions; the same on the emulated GPU
    speed.items,  # every kernel and peer on the layers of nets
    training.items,  # seconds of training steps
)


def items(session: Session) -> Iterator[Item]:
    """Every item of the session, the same ones in the same order each time."""
    for step in STEPS:
        yield from step(session)
