"""What machine this is, and the ceilings that everything else is held against."""

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from importlib.metadata import distributions
from typing import Any

from gpuconv import cuda
from gpuconv import device as devices
from gpuconv.cuda import libcuda
from gpuconv.device import Device

from ..measure import measure
from ..peers import missing
from .items import Item, Session, Unavailable

COPIED = 1 << 30  # bytes
SIDE = 8192  # of the matrices that are multiplied
PRECISIONS = ("fp64", "fp32", "tf32", "bf16", "fp16")
SHOWN = re.compile(r"cuda|cupy|numpy|numba|nvidia|torch", re.IGNORECASE)


def stem(device: Device) -> str:
    """The device's name as a file name: "nvidia-h100-80gb-hbm3", "emulated"."""
    name = cuda.gpu().name if device.kind == "cuda" else device.kind
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "gpu"


def items(session: Session) -> Iterator[Item]:
    """Environment; copy bandwidth; the largest matrix product of each precision."""
    yield Item("environment", "machine", partial(environment, session))
    yield Item("ceilings", "copy", partial(copy_bandwidth, session))
    for precision in PRECISIONS:
        yield Item("ceilings", f"matmul {precision}", partial(matmul, session, precision))


def environment(session: Session) -> dict[str, Any]:
    """Versions of what matters, and the GPU as its driver describes it."""
    packages = {d.metadata["Name"] or "": d.version for d in distributions()}
    return {
        "gpu": asdict(cuda.gpu()) if session.device.kind == "cuda" else None,
        "driver": asdict(driver) if (driver := libcuda.ask()) else None,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {n: v for n, v in sorted(packages.items()) if SHOWN.search(n)},
    }


def copy_bandwidth(session: Session) -> dict[str, Any]:
    """Bytes read and written in a second by the device's own copy."""
    size = 1 << 20 if session.rehearsal else COPIED
    x = devices.empty((size,), "uint8", session.device)
    timing = measure(x.copy, session.device)
    return {"bytes_per_second": 2 * size / timing.shortest}


def matmul(session: Session, precision: str) -> dict[str, Any]:
    """Operations in a second of the library's matrix product."""
    if session.rehearsal:
        raise Unavailable("an emulated GPU has no ceiling")
    reason = missing()
    if reason is not None:
        raise Unavailable(reason)
    import torch

    kinds = {"fp64": "float64", "bf16": "bfloat16", "fp16": "float16"}
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    kind = getattr(torch, kinds.get(precision, "float32"))
    a, b = (torch.randn(SIDE, SIDE, device="cuda").to(kind) for _ in range(2))
    timing = measure(lambda: a @ b, session.device)
    return {"flops_per_second": 2 * SIDE**3 / timing.shortest}
