"""gpuconv bench."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import cpu
from .. import device as devices
from ..benchmarks import guests, history, suite
from ..benchmarks.cases import Case
from ..benchmarks.cpu_vs_peers.ceilings import ceilings
from ..benchmarks.gpu_ceilings import gpu_ceilings
from ..benchmarks.page import page
from ..benchmarks.static_rows import static_rows
from ..benchmarks.suite import Result, Wanted
from ..errors import DeviceError, OptionError
from ..limits import limits
from ._app import app, err, out, show
from ._bench_table import figure, static_tables, summary, tables
from ._device import PLAN, measured, resolve
from ._load import load
from ._progress import bar

RESULTS = Path("bench-results")
BUSY = 0.5  # cores, on average over the last minute
INTERRUPTED = 130  # the shell's code for SIGINT


@app.command()
def bench(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[OP|MODEL]...",
            help="ops (gpuconv kernels) or models; default: every op of the shapes",
        ),
    ] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            help="a model's layers (lenet, alexnet, vgg16, resnet50, ...), depthwise, or "
            "one of your own: n=1,c=3,h=32,w=32,k=8,r=3,s=3,padding=1"
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="only these kernels: numba:direct,winograd,numpy; default: all"),
    ] = None,
    with_: Annotated[
        list[Path] | None, typer.Option("--with", help="a Python file that registers kernels")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="peers, of numpy,torch,onnxruntime on a CPU, cudnn on a GPU; one that is not "
            "installed says so; default: all of the device's"
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: the fastest here")] = "auto",
    batch_size: Annotated[
        list[int] | None,
        typer.Option(min=1, help="images; more than once for several; default: 64, large ones 16"),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="of timing for each case")] = 1.0,
    rounds: Annotated[int, typer.Option(min=3, help="at most, for each case")] = 15,
    suites: Annotated[
        str,
        typer.Option(
            "--suite",
            help="what to time, of kernels,layers,nets,cold,memory, or all: kernels by themselves, "
            "layers pass by pass, steps of whole nets, the first step of a new process, the most "
            "memory that a step holds",
        ),
    ] = suite.KERNELS,
    static: Annotated[
        bool | None,
        typer.Option(
            help="tell what is known of CUDA kernels without a GPU: registers, occupancy, and "
            "what the emulated GPU counts; default: with --html, where there is no GPU"
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="write a report: one file, with plots, that needs no other")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="add every figure to --results")] = False,
    results: Annotated[
        Path, typer.Option(help="the folder of figures kept, a file for each machine")
    ] = RESULTS,
    plan: Annotated[Path | None, typer.Option(help=PLAN)] = None,
    compare: Annotated[
        Path | None, typer.Option(help="say what changed since the figures of this file")
    ] = None,
) -> None:
    """Compare kernels, and libraries, on the layers of nets.

    `gpuconv bench conv2d --shapes lenet` takes every convolution of LeNet-5, and every kernel that
    computes it. Each is checked first, against float64 and within the error that it declares: a
    kernel that is wrong gets a row that says so, and no time. The others are timed in turn, round
    by round, so that whatever slows the machine slows them all; `ms` is the median.

    `time / ours` is how many times as long as the kernel that gpuconv takes by itself, marked
    "chosen". `% of roofline` is the share of what this machine can do, measured beforehand:
    multiply-adds from registers, and copying from memory; it is above 100 where the values fit in a
    cache. GFLOP/s are those of direct convolution. `error` is in eps times the sum of absolute
    products. NCHWc8 is the format in which values travel within a net.

    `--suite nets` times training steps and inference of whole nets, every rival in a process of its
    own; `--suite cold` the first step of a new process, with an empty and with a warm cache.

    A kernel of your own: `gpuconv bench conv2d --with my_kernel.py --shapes alexnet`.
    """
    for file in with_ or []:
        load(file, "bench")
    batches: Any = tuple(batch_size or [None])
    often = {"batches": batches, "seconds": seconds, "rounds": rounds, "suites": _words(suites)}
    here = _device(device)
    peers = guests.default(here) if against is None else _words(against)
    asked = suite.wanted(what or [], _listed(shapes), _words(algorithm), peers, **often)
    asked.check_device(here)
    found = asked.everything()
    before = history.load(compare) if compare is not None else []
    tuned = measured(plan)
    _require_writable(html, results if save else None)
    result = Result(
        " ".join(["gpuconv", *sys.argv[1:]]),
        str(here),
        gpu_ceilings(here) if here.kind == "cuda" else ceilings(),
        expected=len(found),
    )
    result.environment = suite.environment(here)
    _heading(result)
    path = history.path(result, results) if save else None
    with limits(plan=tuned):
        interrupted = _run(asked, found, result, here, path)
    if not interrupted and (here.kind == "cpu" and html is not None if static is None else static):
        interrupted = _count(found, asked, result)
    _print(result)
    if before:
        _changes(result, before)
    _keep(result, path, html, before)
    if interrupted:
        err.print(f"interrupted after {result.done} of {result.expected} cases")
        raise typer.Exit(INTERRUPTED)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _listed(shapes: list[str] | None) -> list[str]:
    """Names may stand together, as lenet,alexnet; sizes that are written out have commas too."""
    return [one for text in shapes or [] for one in ([text] if "=" in text else _words(text))]


def _device(name: str) -> devices.Device:
    kind = resolve(name)
    if kind == "emulated":
        raise DeviceError(
            "bench: an emulated GPU's time means nothing; use cpu, or python -m "
            "gpuconv.benchmarks.ladder for what its kernels do to memory"
        )
    return devices.get(kind)


def _heading(result: Result) -> None:
    here, roof = result.environment, result.roof
    versions = ", ".join(f"{name} {found}" for name, found in here["versions"].items())
    out.print(f"{here['cpu']}, {here['simd']}, {cpu.get_num_threads()} threads; {versions}")
    out.print(
        f"ceilings: {figure(roof.flops / 1e9)} GFLOP/s, {figure(roof.bandwidth / 1e9)} GB/s copied"
    )
    if (here["busy_cores"] or 0) > BUSY:
        out.print(f"{here['busy_cores']} cores are busy with other work: figures will be noisy")
    if here["blas_threads"] != here["threads"]:
        out.print(
            f"NumPy's BLAS has {here['blas_threads']} threads, the others {here['threads']}: set "
            "OPENBLAS_NUM_THREADS and GPUCONV_NUM_THREADS alike"
        )


def _run(
    asked: Wanted, found: list, result: Result, here: devices.Device, path: Path | None
) -> bool:
    """Fill the result, and the file as figures come; whether Ctrl-C ended it before its time."""
    with bar() as progress:
        task = progress.add_task("bench", total=len(found), figures=_name(found[0]))
        try:
            before = None
            for one, rows in suite.rows(asked, found, result.roof, here):
                result.rows += rows
                if path is not None:
                    history.add(path, result, rows)
                if one is not before:
                    result.done += 1
                    progress.update(task, completed=result.done)
                before = one
                progress.update(task, figures=_name(one))
        except KeyboardInterrupt:
            return True
    return False


def _name(one: Any) -> str:
    return f"{one.op} {one.name}"


def _count(found: list, asked: Wanted, result: Result) -> bool:
    """What is known of GPU kernels without a GPU; whether Ctrl-C ended it."""
    cases = [one for one in found if isinstance(one, Case)]
    with bar() as progress:
        task = progress.add_task("CUDA kernels", total=len(cases), figures="on the emulated GPU")
        try:
            for case in cases:
                result.static += static_rows([case], asked.algorithms)
                progress.update(task, advance=1, figures=_name(case))
        except KeyboardInterrupt:
            return True
    return False


def _print(result: Result) -> None:
    for table in (*tables(result.rows), *static_tables(result.static)):
        show(table)
    for line in summary(result.rows):
        out.print(line)


def _require_writable(html: Path | None, folder: Path | None) -> None:
    """Raise OptionError before minutes are spent on figures that cannot be kept."""
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        raise OptionError(f"bench: --html {html}: expected a file in a folder that is there")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise OptionError(f"bench: --results {folder}: expected a folder, this is a file")


def _changes(result: Result, before: list[history.Line]) -> None:
    for difference in history.differences(result, before):
        out.print(f"not as it was: {difference}")
    found = history.compare(result.rows, before)
    told = [change for change in found if change.verdict not in history.QUIET]
    for change in told:
        row = change.row
        out.print(f"{row.op} {row.case} {row.name}: {change.factor:.2f} times ({change.verdict})")
    if found:
        out.print(f"{len(found) - len(told)} of {len(found)} figures are as they were, or in noise")
    drift = history.drift(found)
    if not found:
        out.print("nothing of this was timed then")
    elif drift is not None:
        out.print(f"all of it together: {drift:.2f} times; what all share is the machine's doing")


def _keep(result: Result, path: Path | None, html: Path | None, before: list[history.Line]) -> None:
    kept = before
    if path is not None and path.exists():
        out.print(f"figures: {path}")
        kept = history.load(path)
    if html is not None:
        html.write_text(page(result, kept), encoding="utf-8")
        out.print(f"report: {html}")
