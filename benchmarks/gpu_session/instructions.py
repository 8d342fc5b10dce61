"""Inline PTX has a twin on the host that the hardware must agree with, one by one."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from gpuconv import cuda
from gpuconv.cuda.archs import lacks
from gpuconv.device import EMULATED, Device, empty, to_device, to_numpy
from gpuconv.errors import KernelError
from gpuconv.random import Stream

from ..static import builds
from .items import Unavailable

HEADER = "ptx.cuh"
SOURCE = cuda.Source(Path(__file__).with_name("ptx.cu"))
SHAPES = {"copies": ((384,), (384,))}  # entry: what it writes and what it reads, both float32
WARP = 32
NEEDS = ("sm_80",)
_ASM = re.compile(r"\basm\b")
_FUNCTION = re.compile(r"__device__[^;(]*?\b(\w+)\s*\(")


def conformance(device: Device) -> dict[str, Any]:
    """Run every instruction on ``device`` and on the emulated GPU.

    Raises KernelError for inline PTX outside ptx.cuh, for a function of it that ptx.cu does not
    call, and for an answer that is not its twin's.
    """
    sources = [cuda.Source(path) for path in {build.path for build in builds()}]
    files = {path for s in sources for path in (s.path, *s.headers.values())}
    inline = {path for path in files if _ASM.search(path.read_text())}
    strays = sorted(path.name for path in inline if path.name != HEADER)
    if strays:
        raise KernelError(f"inline PTX in {', '.join(strays)}: it belongs in {HEADER}")
    called = functions()
    lacking = lacks(NEEDS, device.arch) if device.arch else None
    if lacking:
        raise Unavailable(f"{HEADER} {lacking}")
    for entry in SOURCE.entries:
        _agree(entry, device)
    return {"sources": len(files), "with inline PTX": len(inline), "conform": called}


def functions() -> list[str]:
    """The functions of ptx.cuh; raises KernelError where ptx.cu calls one of them nowhere."""
    wrappers = sorted(set(_FUNCTION.findall(SOURCE.headers[HEADER].read_text())))
    missing = [name for name in wrappers if not re.search(rf"\b{name}\b", SOURCE.text)]
    if missing:
        raise KernelError(f"{HEADER}: {', '.join(missing)}: no conformance test covers it")
    return wrappers


def _agree(entry: str, device: Device) -> None:
    written, read = SHAPES[entry]
    x = Stream(3).normal(read).astype(np.float32)
    answers = []
    for here in (device, EMULATED):
        y = empty(written, "float32", here)
        SOURCE.function(entry)((1,), (WARP,), (y, to_device(x, here)))
        answers.append(to_numpy(y))
    if answers[0].tobytes() != answers[1].tobytes():
        raise KernelError(f"{entry}: the GPU does not answer what the twin does")
