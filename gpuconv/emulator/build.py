"""From a ``.cu`` to a library: the system's C++ compiler, its options, and what a build depends on.

The compiler makes assembly, in which the shared variables get their red zones (assembly.py); then
it is linked with the runtime. Check mode asks for the instrumentation of two sanitizers but links
neither: runtime/callbacks.cpp implements what they call.
"""

import functools
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import _cache as cache
from ..errors import CompileError, DeviceError
from . import assembly, source

HERE = Path(__file__).resolve().parent
INCLUDE = HERE / "include"
COMPILERS = ("g++", "clang++")

_COMMON = (
    *("-std=c++17", "-fPIC", "-g1", "-gdwarf-4", "-w", "-fvisibility=hidden"),
    *("-fno-strict-aliasing", "-fno-threadsafe-statics", "-fno-exceptions", "-march=native"),
)
_UNDEFINED = "alignment,null,shift,integer-divide-by-zero,signed-integer-overflow,return"
# Merging equal branches would merge two barriers; scalar replacement would split a float4's load.
_WATCHED = {
    "g++": (
        f"-fsanitize=thread,bounds,{_UNDEFINED}",
        *("--param", "tsan-instrument-func-entry-exit=0"),
        *("-fno-crossjumping", "-fno-tree-tail-merge", "-fno-tree-sra"),
        "-fno-tree-loop-distribute-patterns",
    ),
    "clang++": (
        f"-fsanitize=thread,array-bounds,{_UNDEFINED}",
        *("-mllvm", "-tsan-instrument-func-entry-exit=0"),
        *("-mllvm", "-tsan-instrument-read-before-write=1"),
    ),
}
_ONE_FAMILY = {"g++": ("-fno-ipa-reference",), "clang++": ()}
MODES = ("fast", "check")


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler: its path and which family's options it takes."""

    path: str
    family: str

    def options(self, mode: str) -> tuple[str, ...]:
        """Options for a kernel; ``fast`` contracts into fma as CUDA's compiler does by default."""
        both = (*_COMMON, *_ONE_FAMILY[self.family], "-ffp-contract=fast")
        return (*both, "-O2") if mode == "fast" else (*both, "-O1", *_WATCHED[self.family])

    def identity(self) -> str:
        """What tells this compiler and CPU from others."""
        real = os.path.realpath(self.path)
        facts = os.stat(real)
        return f"{real} {facts.st_size} {facts.st_mtime_ns} {_cpu()}"


@functools.cache
def _cpu() -> str:
    found = re.search(r"^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[0] if found else platform.machine()


def available() -> tuple[bool, str]:
    """Can kernels be emulated here, and with what; or the reason why not."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        where = f"{sys.platform} on {platform.machine()}"
        return False, f"the emulator runs on x86-64 Linux only, this is {where}"
    found = _find()
    if found is None:
        names = os.environ.get("GPUCONV_CXX") or " or ".join(COMPILERS)
        return False, f"the emulator needs a C++ compiler: no {names} on PATH; install g++"
    if shutil.which("addr2line") is None:
        return False, "the emulator needs addr2line, which is not on PATH; install binutils"
    return True, f"kernels are compiled with {found.path}"


def _find() -> Compiler | None:
    chosen = os.environ.get("GPUCONV_CXX")
    for name in (chosen,) if chosen else COMPILERS:
        path = shutil.which(name)
        if path:
            return Compiler(path, "clang++" if "clang" in Path(path).name else "g++")
    return None


def compiler() -> Compiler:
    """The compiler in use; raises DeviceError that says what is missing."""
    usable, reason = available()
    found = _find()
    if not usable or found is None:
        raise DeviceError(reason)
    return found


def run(command: Sequence[object], options: str = "", given: str | None = None) -> str:
    """Standard output of a compiler call; raises CompileError with the first error's place.

    ``options`` are the caller's own, for the message.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    first = re.search(r"^(.+?):(\d+):(?:\d+:)? (?:fatal )?error: (.*)$", done.stderr, re.MULTILINE)
    detail = f"{done.stderr[:2000]}\ncompiled by {words[0]} with options: {options}"
    if first is None:
        raise CompileError(f"a kernel source does not compile\n{detail}")
    file, line = first[1], int(first[2])
    raise CompileError(f"{file}:{line}: {first[3]}\n{detail}", file, line)


@functools.cache
def _emulator_digest() -> str:
    parts = sorted([*HERE.glob("*.py"), *INCLUDE.glob("*"), *(HERE / "runtime").glob("*")])
    return hashlib.sha256(b"\0".join(p.read_bytes() for p in parts if p.is_file())).hexdigest()


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def runtime(using: Compiler) -> Path:
    """The runtime's object file, built once."""
    options = (*_COMMON, "-O2", "-I", str(INCLUDE))

    def make(work: Path) -> Path:
        made = work / "runtime.o"
        run([using.path, *options, "-c", HERE / "runtime" / "runtime.cpp", "-o", made])
        return made

    key = _key(_emulator_digest(), using.identity(), *options)
    return cache.artifact(f"emulator-runtime-{key}.o", make)


@functools.cache
def poison(compiler: str) -> tuple[str, ...]:
    """The option that fills local variables with huge values, if the compiler has it."""
    option = "-ftrivial-auto-var-init=pattern"  # since g++ 12, clang++ 8
    try:
        run([compiler, option, "-E", "-x", "c++", os.devnull])
    except (CompileError, OSError):
        return ()
    return (option,)


def library(code: source.Source, mode: str) -> Path:
    """The library of a source; built if the cache has none. Raises CompileError."""
    using = compiler()
    folders = (f"-I{folder}" for folder in (INCLUDE, *code.include))
    # NVRTC has no standard headers either.
    options = (*using.options(mode), "-nostdinc", "-nostdinc++", *folders)
    shown = f"mode={mode} {code.options}"
    key = _key(_emulator_digest(), using.identity(), *options, code.wrapped(), *code.contents())

    def make(work: Path) -> Path:
        text = run([using.path, *options, "-E", "-x", "c++", "-"], shown, code.wrapped())
        unit = source.translate(text)
        (work / "unit.ii").write_text(unit.text)
        locals_ = poison(using.path) if mode == "check" else ()
        run([using.path, *options, *locals_, "-S", work / "unit.ii", "-o", work / "unit.s"], shown)
        listing = (work / "unit.s").read_text()
        watched = assembly.instrument(listing, unit.kernels, code.name, mode == "check")
        (work / "unit.s").write_text(watched)
        made = work / "kernel.so"
        objects = (work / "unit.s", runtime(using))
        run([using.path, "-shared", "-Wl,-Bsymbolic", *objects, "-o", made])
        return made

    return cache.artifact(f"emulator-kernel-{key}.so", make)
