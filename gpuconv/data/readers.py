"""Processes that read batches ahead into shared memory; one that is killed is replaced.

Each process has a pipe of its own and there is no lock between them, so that a SIGKILL at any point
leaves nothing held. At most ``AHEAD`` batches wait for each.
"""

import pickle
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any
from weakref import finalize

import numpy as np

from ..errors import DataError, GpuconvError, OptionError
from . import processes
from .reading import Batch, BatchReader
from .shared import SharedBytes

AHEAD = 2
_READY = -1  # the ticket of a reader's first message
_GUARD = "a script that reads data in processes needs: if __name__ == '__main__':"


class Slots:
    """Places for batches in shared memory: uint8 images (B, H, W, C) and int64 labels (B,)."""

    def __init__(self, count: int, batch_size: int, image: tuple[int, int, int]) -> None:
        self.count, self.batch_size, self.image = count, batch_size, image
        labels = 8 * batch_size
        self._size = -(-(labels + batch_size * int(np.prod(image))) // 64) * 64
        self._memory = SharedBytes(count * self._size)

    def views(self, slot: int, count: int) -> Batch:
        """The arrays of a slot that holds ``count`` images."""
        start = slot * self._size
        labels = self._memory.array(start, (count,), np.int64)
        pixels = self._memory.array(start + 8 * self.batch_size, (count, *self.image), np.uint8)
        return pixels, labels


class _Reader:
    """One process: what it was asked for, oldest first, as tickets."""

    def __init__(self, read: BatchReader, slots: Slots) -> None:
        self.pipe, theirs = processes.SPAWN.Pipe()
        self.asked: deque[int] = deque()
        self.ready = False
        try:
            self.process = processes.start(_serve, theirs, slots, read)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise OptionError(
                f"Loader: what is read in processes must travel by pickle ({error}); define data "
                "set and augmentations at the top of a module, or use workers=1"
            ) from None
        finally:
            theirs.close()

    def end(self) -> None:
        """Stop the process."""
        self.pipe.close()
        processes.end(self.process)


class Readers:
    """Processes that read; ``queue(epoch, order)`` has them read the batches of an epoch.

    Raises OptionError for what pickle cannot send.
    """

    def __init__(self, read: BatchReader, count: int, batch_size: int) -> None:
        self.read, self.count, self.batch_size = read, count, batch_size
        self.members: list[_Reader] = []
        self.slots: Slots | None = None
        self.replaced = 0
        self.busy = False
        finalize(self, _end_all, self.members)

    def queue(self, epoch: int, order: Sequence[np.ndarray]) -> "Queue":
        """The batches ``order`` of an epoch; of processes of their own while these are in use."""
        mine = Readers(self.read, self.count, self.batch_size) if self.busy else self
        shape = self.read.net_input
        if mine.slots is None:
            image = (shape.height, shape.width, shape.channels)
            mine.slots = Slots(self.count * AHEAD + 1, self.batch_size, image)
        while len(mine.members) < self.count:
            mine.members.append(_Reader(self.read, mine.slots))
        mine.busy = True
        return Queue(mine, mine.slots, epoch, order, passing=mine is not self)

    def close(self) -> None:
        """End the processes; the next epoch starts new ones."""
        self.busy = False
        _end_all(self.members)


def _end_all(members: list[_Reader]) -> None:
    while members:
        members.pop().end()


class Queue:
    """The batches of one epoch on their way: asked for, done, taken."""

    def __init__(
        self,
        owner: Readers,
        slots: Slots,
        epoch: int,
        order: Sequence[np.ndarray],
        *,
        passing: bool,
    ) -> None:
        self.passing = passing
        self.owner, self.slots, self.epoch, self.order = owner, slots, epoch, order
        self.free = deque(range(slots.count))
        self.slot: dict[int, int] = {}
        self.done: dict[int, BaseException | None] = {}
        self.deaths: dict[int, int] = {}
        self.next = 0

    def end(self) -> None:
        """Let the processes wait for the next epoch; those with something in hand, or that
        were started for this one alone, are stopped."""
        if self.slot or self.passing:
            self.owner.close()
        self.owner.busy = False

    def take(self, ticket: int, use: Callable[[np.ndarray, np.ndarray], Any]) -> Any:
        """Wait for a batch and give ``use(images, labels)``, arrays that are valid within it alone.

        Batches are taken in their order. Raises what reading raises; DataError, naming the samples,
        when two processes are killed over the same batch, or when one cannot start.
        """
        self._ask()
        while ticket not in self.done:
            self._hear()
        error = self.done.pop(ticket)
        if error is not None:
            raise error
        slot = self.slot.pop(ticket)
        result = use(*self.slots.views(slot, len(self.order[ticket])))
        self.free.append(slot)
        self._ask()
        return result

    def _ask(self) -> None:
        """Hand out batches while there are free slots and readers with little to do."""
        while self.next < len(self.order) and self.free:
            reader = min(self.owner.members, key=lambda each: len(each.asked))
            if len(reader.asked) >= AHEAD:
                return
            self.slot[self.next] = self.free.popleft()
            self._send(reader, self.next)
            self.next += 1

    def _send(self, reader: _Reader, ticket: int) -> None:
        reader.asked.append(ticket)
        with suppress(OSError):  # it is dead: its end is heard of next
            reader.pipe.send((ticket, self.slot[ticket], self.epoch, self.order[ticket]))

    def _hear(self) -> None:
        """Wait until a reader says something or ends."""
        pipes: dict[Any, int] = {reader.pipe: k for k, reader in enumerate(self.owner.members)}
        for pipe in wait(list(pipes)):
            number = pipes[pipe]
            reader = self.owner.members[number]
            try:
                ticket, error = reader.pipe.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                self._replace(number)
                continue
            if ticket == _READY:
                reader.ready = True
                continue
            reader.asked.remove(ticket)
            self.done[ticket] = error

    def _replace(self, number: int) -> None:
        """A reader has ended: another takes up what it was asked for."""
        lost = self.owner.members[number]
        lost.end()
        if not lost.ready:
            raise DataError(f"Loader: a process that reads data could not start; {_GUARD}")
        if lost.asked:
            guilty = lost.asked[0]
            self.deaths[guilty] = self.deaths.get(guilty, 0) + 1
            if self.deaths[guilty] > 1:
                raise DataError(
                    f"Loader: two processes were killed while they read "
                    f"{self.owner.read.places(self.order[guilty])} (out of memory, or a decoder "
                    "that crashed?); remove what cannot be read, or use fewer workers"
                )
        self.owner.members[number] = _Reader(self.owner.read, self.slots)
        self.owner.replaced += 1
        for ticket in lost.asked:
            self._send(self.owner.members[number], ticket)


def _serve(pipe: Connection, slots: Slots, read: BatchReader) -> None:
    """A reader's life."""
    processes.follow_parent()
    with suppress(EOFError, OSError):  # the parent has closed the pipe
        pipe.send((_READY, None))
        while True:
            ticket, slot, epoch, samples = pipe.recv()
            pipe.send((ticket, _read_into(slots, slot, read, epoch, samples)))


def _read_into(
    slots: Slots, slot: int, read: BatchReader, epoch: int, samples: np.ndarray
) -> BaseException | None:
    """Read a batch into its slot; the error that reading raised, as it can travel."""
    try:
        images, labels = read(epoch, samples)
        pixels, numbers = slots.views(slot, len(samples))
        pixels[...], numbers[...] = images, labels
    except GpuconvError as error:
        return error
    except Exception as error:  # a user's data set may raise anything, also what cannot travel
        return DataError(f"{read.places(samples)}: cannot be read ({error!r})")
    return None
