"""Compile everything first, in all processors at once, so that no later step waits for it."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from typing import Any

from gpuconv import cuda, emulator
from gpuconv.cuda import compile as compiler

from ..static import Build, builds
from .items import Item, Session, Unavailable


def items(session: Session) -> Iterator[Item]:
    """One row: how many builds, how long."""
    yield Item("compile", "every kernel", partial(compile_all, session), limit=400.0)


def compile_all(session: Session) -> dict[str, Any]:
    """Cubins for this GPU into the disk cache; for an emulated one its shared libraries."""
    every, arch = builds(), None
    if session.rehearsal:
        every = [b for b in every if dict(b.macros)["INDEX"] == "int"]
    elif compiler.nvrtc()[0] is None:
        raise Unavailable(f"{compiler.nvrtc()[1]}: CuPy compiles each kernel when it runs")
    else:
        arch = f"sm_{cuda.gpu().arch}"
    begin = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        failed = [message for message in pool.map(_compile, every, repeat(arch)) if message]
    return {
        "builds": len(every), "failed": failed, "processes": os.cpu_count(),
        "seconds": time.perf_counter() - begin,
    }  # fmt: skip


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
