"""gpuconv verify-determinism."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from .. import models
from ..cpu import get_num_threads, set_num_threads
from ..limits import limits
from ..training.fingerprints import Print, fingerprints, first_difference
from ..training.optimizers import SGD
from ._app import app, out
from ._device import DEVICES, plan, resolve
from ._load import load

DIFFERENT = 1  # the exit code where bits went apart


class Work(NamedTuple):
    """What each process computes."""

    model: str
    device: str
    steps: int
    batch_size: int
    seed: int
    algorithm: str | None
    files: tuple[Path, ...]


def compute(work: Work, threads: int) -> list[Print]:
    """What one process of so many threads makes of the work."""
    _load(work)
    set_num_threads(threads)
    entry = models.get(work.model)
    net = models.create(work.model, seed=work.seed).to(work.device)
    optimizer = SGD(net.parameters(), entry.lr, momentum=0.9, weight_decay=5e-4)
    options = {"steps": work.steps, "batch_size": work.batch_size, "seed": work.seed}
    with limits(plan=plan(work.algorithm, work.device)):
        return fingerprints(net, optimizer, **options)


def _load(work: Work) -> None:
    for file in work.files:
        load(file, "verify-determinism")


@app.command("verify-determinism")
def verify_determinism(
    model: Annotated[str, typer.Argument(help="a model's name (gpuconv models lists them)")],
    steps: Annotated[int, typer.Option(min=1, help="training steps in each process")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="images in a step")] = 16,
    device: Annotated[str, typer.Option(help=DEVICES)] = "auto",
    algorithm: Annotated[
        str | None,
        typer.Option(help="kernels by op, as conv2d=numpy:direct,linear=...; default: chosen"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of weights, images and dropout")] = 0,
    with_: Annotated[
        list[Path] | None, typer.Option("--with", help="a Python file that registers kernels")
    ] = None,
) -> None:
    """Train twice in processes of their own, and with other numbers of threads; compare all bits.

    Images are made up. Every layer's outputs and gradients, and the weights after every step, are
    hashed; the first that differs is named, and the exit code is then 1. NumPy's BLAS has the same
    threads in each process (OPENBLAS_NUM_THREADS).
    """
    models.get(model)
    files = tuple(with_ or ())
    work = Work(model, resolve(device), steps, batch_size, seed, algorithm, files)
    _load(work)
    plan(algorithm, work.device)
    usual = get_num_threads()
    counts = [usual, usual, *sorted({1, max(usual // 2, 1)} - {usual})]
    out.print(f"{model}: steps {steps}, batch size {batch_size}, processes {len(counts)}")
    prints = [_told(work, number, threads) for number, threads in enumerate(counts, 1)]
    apart = [_compared(prints[0], other, n) for n, other in enumerate(prints[1:], 2)]
    if not all(apart):
        raise typer.Exit(DIFFERENT)
    names = {name for _, name, _ in prints[0]}
    out.print(f"the same bits: {len(prints[0])} hashes of {len(names)} layers and arrays")


def _told(work: Work, number: int, threads: int) -> list[Print]:
    context: Any = get_context("spawn")  # nothing of this process, and none of its random hashes
    with ProcessPoolExecutor(1, context) as processes:
        found = processes.submit(compute, work, threads).result()
    out.print(f"process {number}: {threads} {'thread' if threads == 1 else 'threads'}")
    return found


def _compared(first: list[Print], other: list[Print], number: int) -> bool:
    apart = first_difference(first, other)
    if apart is not None:
        out.print(f"process {number} differs from process 1, first in {apart.where}, {apart.name}")
    return apart is None
