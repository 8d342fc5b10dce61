"""gpuconv check."""

from pathlib import Path
from typing import Annotated

import typer

from .. import registry
from ..cuda import Source
from ..errors import KernelError, OptionError
from ._app import app, out
from ._bare import Bare, Layout, choose
from ._load import load
from ._proof import Subject, compile_all, prove


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(help="a Python file that registers kernels, or a .cu file")
    ],
    op: Annotated[
        str | None, typer.Option(help="of a .cu file: the op that it computes (gpuconv kernels)")
    ] = None,
    entry: Annotated[
        str | None, typer.Option(help="of a .cu file: which entry; default: the only one")
    ] = None,
    blocks: Annotated[
        str | None,
        typer.Option(help="of a .cu file: as `n*k`; default: a thread for each element of y"),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=1024, help="of a .cu file: threads of a block")
    ] = 256,
    shared: Annotated[
        str,
        typer.Option(help="of a .cu file: dynamic shared bytes of a block, as `real*c*r*s`"),
    ] = "0",
) -> None:
    """Prove a kernel of yours without a GPU.

    Imports FILE.py, and runs every kernel that it registers through the battery: all cases of its
    op in float32 and float64, against the float64 reference. CUDA kernels run on the emulated GPU,
    every access watched, in three orders of their threads; then they are compiled for GPU
    architectures. Prints faults as a compiler does, FILE:LINE: MESSAGE, and exits with 1.

    A FILE.cu needs no launcher: `gpuconv check FILE.cu --op relu` proves

    ```cpp
    extern "C" __global__ void mine(REAL* y, const REAL* x, int count) {
        const int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < count) y[i] = x[i] <= 0 ? 0 : x[i];
    }
    ```

    Its parameters are matched by name, in any order. Pointers are the op's arrays: `y`, `x`,
    `weight`, `bias`, `dy`. Numbers are the problem's: `n`, `c`, `h`, `w`, `stride_h`, `pad_top`,
    `groups`. A struct of numbers is filled by its members' names, as `Conv2d conv` of common.cuh.
    A name that is unknown is answered with those that there are.

    `count` is the number of elements of the (first) out. `has_bias` is 0 where bias is left out,
    which then has no elements. `relu` is 1 where a ReLU follows. What there is no parameter for
    (stride, groups, bias) is not supported, and such cases are left out. `REAL` is float and
    double in turn, `INDEX` int, `BLOCK` the number of threads. `--blocks` and `--shared` are
    sums of these numbers, and of `real`, the bytes of a REAL.
    """
    if file.suffix == ".cu":
        subjects, sources = _bare(file, op, entry, Layout(blocks, threads, shared))
    else:
        if op is not None or entry is not None:
            raise OptionError(f"check: --op and --entry are for .cu files, not for {file}")
        subjects, sources = _registered(file)
    faults = sum(map(prove, subjects)) + sum(map(compile_all, sources))
    if faults:
        out.print(f"{faults} faults")
        raise typer.Exit(1)
    out.print("no faults")


def _bare(
    file: Path, op: str | None, entry: str | None, layout: Layout
) -> tuple[list[Subject], list[Source]]:
    """The kernel of a .cu file."""
    if op is None:
        known = ", ".join(registry.ops())
        raise OptionError(f"check: which op does {file} compute? Say --op NAME, of {known}")
    declared, source = registry.get_op(op), Source(file)
    bare = Bare(source, choose(source, entry), declared, layout)
    return [Subject(declared, bare.kernel(), file, bare.line, bare.variants())], [source]


def _registered(file: Path) -> tuple[list[Subject], list[Source]]:
    """The kernels that a Python file registers, and its CUDA sources."""
    known = {id(k) for op in registry.ops().values() for k in op.kernels()}
    module = load(file, "check")
    subjects = [
        Subject(op, kernel, file, kernel.run.__code__.co_firstlineno)
        for op in registry.ops().values()
        for kernel in op.kernels()
        if id(kernel) not in known
    ]
    if not subjects:
        raise KernelError(f"check: {file} registers no kernel; decorate one with @op.kernel(...)")
    return subjects, [value for value in vars(module).values() if isinstance(value, Source)]
