"""gpuconv explain."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .. import device as devices
from .. import explanation as core
from .. import models, registry
from ..benchmarks.cases import GRADIENTS, batch_for, cases, known_shape, unknown
from ..benchmarks.launches import launches
from ..benchmarks.page import explained as pages
from ..device import Device
from ..errors import OptionError
from ..explanation import Explanation
from ..formats import BLOCKED, native
from ..limits import PRECISIONS, limits
from ..training.planned import BACKWARD, FORWARD, Call
from ._app import app, out, show
from ._device import PLAN
from ._device import measured as tuned
from ._device import plan as named
from ._explain_table import Launches, footer, lines, totals
from ._load import load


@app.command()
def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|SHAPE",
            help="a model (gpuconv models), or sizes: n=1,c=3,h=32,w=32,k=8,r=3,s=3,padding=1",
        ),
    ],
    op: Annotated[
        list[str] | None, typer.Option(help="only these ops; of a shape, default: conv2d")
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="a training step, without the update of parameters")
    ] = False,
    device: Annotated[
        str,
        typer.Option(
            help="cpu, cuda, emulated, auto, or a GPU's architecture: sm_90, which need not be here"
        ),
    ] = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="images; default: 1, in training 64 small or 16 large ones"),
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option(help="ask for kernels: conv2d=direct,linear=numpy:matmul")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help=PLAN)] = None,
    max_workspace: Annotated[
        int | None, typer.Option(min=0, help="bytes that a call may take besides its arrays")
    ] = None,
    max_error: Annotated[float | None, typer.Option(min=0, help="relative error, at most")] = None,
    precision: Annotated[str, typer.Option(help=f"of {', '.join(PRECISIONS)}")] = "fp32",
    with_: Annotated[
        list[Path] | None, typer.Option("--with", help="a Python file that registers kernels")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="only what is chosen")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="everything, as JSON")] = False,
    html: Annotated[
        Path | None, typer.Option(help="write a picture: one file that needs no other")
    ] = None,
) -> None:
    """Say which kernel each call takes, which others there are, and why it is not one of those.

    `gpuconv explain alexnet --train` goes through every call of a training step as it is made: in
    its format, with what is fused into it. The chosen kernel has a star; a kernel that refuses says
    why. Nothing is computed and nothing is timed: `ms` are predicted from operations, bytes and
    calls, unless `gpuconv tune` measured them before, and "% of roofline" is what that is of the
    least time that the ceilings allow.

    `gpuconv explain alexnet --device sm_90` needs no GPU: what each launch needs was found by
    compiling.

    A kernel of your own: `gpuconv explain n=8,c=64,h=56,w=56,k=64,r=1,s=1 --with my_kernel.py`.
    """
    for file in with_ or []:
        load(file, "explain")
    _require_writable(html)
    here = core.named(device)
    asked = {"max_workspace": max_workspace, "max_error": max_error, "precision": precision}
    with limits(**asked, plan=named(algorithm, here.kind)), limits(plan=tuned(plan)):
        found = _explanation(what, op or [], train, here, batch_size)
        launched = _launches(found, here)
    if html is not None:
        html.write_text(pages.page(found), encoding="utf-8")
    if as_json:
        out.print(json.dumps(_as_dict(found, launched), indent=1))
        return
    out.print(found.title)
    show(lines(found, launched, brief=brief))
    if _is_pass(what):
        show(totals(found))
    for line in footer(found):
        out.print(line)
    if html is not None:
        out.print(f"picture: {html}")


def _is_pass(what: str) -> bool:
    """Whether the calls make up a pass of a net, so that their sum means something."""
    return "=" not in what and known_shape(what, "explain") in models.models()


def _explanation(
    what: str, ops: list[str], train: bool, here: Device, batch_size: int | None
) -> Explanation:
    for name in ops:
        if name not in registry.ops():
            raise OptionError(unknown("op", name, registry.ops(), "explain"))
    full = what if "=" in what else known_shape(what, "explain")
    if full not in models.models():
        made = list(_of_shapes(full, ops or _convolutions(train), here, batch_size))
        return core.explained(made, here, f"{full} on {core.described(here)}")
    count = batch_size or (batch_for(full) if train else 1)
    found = core.explain(full, train=train, device=here, batch_size=count)
    kept = tuple(line for line in found.lines if not ops or line.op in ops)
    if not kept:
        listed = ", ".join(dict.fromkeys(line.op for line in found.lines))
        raise OptionError(f"explain: {full} has no {', '.join(ops)}; it has {listed}")
    return replace(found, lines=kept)


def _convolutions(train: bool) -> list[str]:
    return list(GRADIENTS["conv2d"] if train else GRADIENTS["conv2d"][:1])


def _of_shapes(what: str, ops: list[str], here: Device, batch_size: int | None) -> Iterator[Call]:
    """Shapes on plain arrays, and as they are within a net where that differs."""
    for case in cases(what, ops, batch_size):
        phase = FORWARD if case.op == ops[0] else BACKWARD
        for layer in case.layers:
            name = "arrays" if "=" in layer else layer
            yield Call(name, phase, case.op, case.problem)
            if here == devices.CPU and case.problem.formatted and _has_blocks(case.op):
                problem = case.problem.in_format(native())
                yield Call(f"{name}, in a net", phase, case.op, problem)


def _has_blocks(op: str) -> bool:
    return any(BLOCKED in kernel.formats for kernel in registry.get_op(op).kernels())


def _launches(found: Explanation, here: Device) -> Launches:
    """What the chosen kernels launch on a GPU of a known architecture."""
    if here.arch is None:
        return {}
    made: Launches = {}
    for number, line in enumerate(found.lines):
        if line.chosen:
            kernel = line.chosen.kernel
            made[number, kernel.name] = launches(line.op, kernel, line.problem, here.arch)
    return made


def _as_dict(found: Explanation, launched: Launches) -> dict:
    whole = found.as_dict()
    for number, line in enumerate(whole["lines"]):
        for one in line["candidates"]:
            if (number, one["kernel"]) in launched:
                one["launches"] = launched[number, one["kernel"]]
    return whole


def _require_writable(html: Path | None) -> None:
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        raise OptionError(f"explain: --html {html}: expected a file in a folder that is there")
