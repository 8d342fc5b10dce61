"""Compile everything first, in all processors at once, so that no later step waits for it."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

from gpuconv import cuda, emulator
from gpuconv.cuda import archs as architectures
from gpuconv.cuda import compile as compiler
from gpuconv.errors import KernelError

from ..static import Build, builds
from .items import Item, Session, Unavailable


def items(session: Session) -> Iterator[Item]:
    """One row: how many builds, how long. What is built stays on the machine: always anew."""
    yield Item("compile", "every kernel", partial(compile_all, session), limit=400.0, always=True)


def compile_all(session: Session) -> dict[str, Any]:
    """Cubins for this GPU into the disk cache, and the shared libraries of the emulated one."""
    begin, wanted = time.perf_counter(), [*_cubins(session), *_libraries()]
    # A forked child would inherit a GPU's context, which it cannot use.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        failed = [message for message in pool.map(_compile, *zip(*wanted, strict=True)) if message]
    if failed:
        raise KernelError(f"{len(failed)} of {len(wanted)} builds: {failed[0]}")
    seconds = time.perf_counter() - begin
    return {"builds": len(wanted), "processes": os.cpu_count(), "seconds": seconds}


def _cubins(session: Session) -> list[tuple[Build, str | None]]:
    if session.rehearsal:
        return []
    if compiler.nvrtc()[0] is None:
        raise Unavailable(f"{compiler.nvrtc()[1]}: CuPy compiles each kernel when it runs")
    arch = session.device.arch or architectures.name(cuda.gpu().arch)
    return [(build, arch) for build in builds() if build.lacks(arch) is None]


def _libraries() -> list[tuple[Build, str | None]]:
    """What the emulated GPU runs: no case has as many elements as 64-bit indices are for."""
    here, _ = emulator.available()
    return [(b, None) for b in builds() if here and dict(b.macros)["INDEX"] == "int"]


def _compile(build: Build, arch: str | None) -> str | None:
    """Build one, for the emulator where ``arch`` is None; the message of what went wrong."""
    source, macros = cuda.Source(build.path), dict(build.macros)
    try:
        if arch is None:
            entry = next(iter(source.entries))
            emulator.Module(source.path, macros, list(source.include)).function(entry)
        else:
            compiler.cubin_file(source, macros, arch)
    except Exception as error:  # a build may fail in any way; the others go on
        return f"{build.name}: {error}"
    return None
