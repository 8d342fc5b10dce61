"""Progress bars on a terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ._app import out


def bar(*, quiet: bool = False) -> Progress:
    """A progress bar with a text at its end; it shows nothing unless a person can watch it."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=out,
        disable=quiet or not out.is_terminal,
        transient=True,
    )


@contextmanager
def images_bar(total: int, what: str, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar over images; gives a function that hears of each batch's count."""
    with bar(quiet=quiet) as progress:
        task = progress.add_task(what, total=total, figures="images")
        yield lambda count: progress.advance(task, count)
