"""Every CUDA kernel compiles for every GPU architecture and needs what benchmarks/static.json says.

A figure that changes is not an accident that goes unseen: the message names the row, and
`python -m gpuconv.benchmarks.static --write` takes the change into the table.
"""

from functools import cache

import pytest

from gpuconv import cuda
from gpuconv.benchmarks import static
from gpuconv.cuda import compile as compiler
from gpuconv.cuda import sass
from gpuconv.cuda.occupancy import ARCHS, blocks_per_sm

VERSION = "13.0"  # of the NVRTC that made the table
BUILDS = static.builds()
COMMAND = "look at that entry; if it is meant: python -m gpuconv.benchmarks.static --write"


@cache
def why_not() -> str | None:
    """Why the figures cannot be compared here, or None."""
    bindings, reason = compiler.nvrtc()
    if bindings is None:
        return reason
    if compiler.version(bindings) != VERSION:
        return f"the table is NVRTC {VERSION}'s, here is {compiler.version(bindings)}"
    return None if sass.nvdisasm() else f"the package {sass.PACKAGE} is not installed"


needs_nvrtc = pytest.mark.skipif(why_not() is not None, reason=f"compiling for GPUs: {why_not()}")


def holds(build, archs):
    new, old = static.rows(build, archs), static.stored()
    found = static.differences({name: row for name, row in old.items() if name in new}, new)
    assert not found, "\n".join([*found, COMMAND])


def usual(build):
    macros = dict(build.macros)
    return macros["INDEX"] == "int" and macros["REAL"] == "float"


@needs_nvrtc
@pytest.mark.parametrize(
    "build",
    [
        pytest.param(b, id=b.name, marks=[pytest.mark.slow] if b.variant else [])
        for b in filter(usual, BUILDS)
    ],
)
def test_static_figures(build):
    holds(build, [static.LOOP_ARCH])


@needs_nvrtc
@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS, ids=lambda b: b.name)
def test_static_figures_of_every_architecture(build):
    holds(build, ARCHS)


def test_the_table_has_a_row_for_every_entry_and_figures_for_every_architecture():
    wanted = {f"{b.name} {entry}" for b in BUILDS for entry in cuda.Source(b.path).entries}
    assert wanted == set(static.stored()), COMMAND
    assert all(set(ARCHS) <= set(row) for row in static.stored().values())


def test_nothing_in_the_table_spills_and_everything_fits():
    for name, row in static.stored().items():
        for arch in ARCHS:
            if isinstance(row[arch], str):  # no kernel of it is for that architecture
                continue
            registers, spilled, _, blocks = row[arch]
            assert spilled == 0, (name, arch)
            assert 0 < registers <= 255, (name, arch)
            assert blocks > 0, (name, arch)


def test_a_change_is_told_row_by_row():
    old = {"same": {"sm_90": [1]}, "other": {"sm_90": [2]}, "gone": {}}
    new = {"same": {"sm_90": [1]}, "other": {"sm_90": [3]}, "made": {}}
    assert static.differences(old, new) == [
        "gone: is not compiled any more",
        "made: has no row",
        "other sm_90: [2] -> [3]",
    ]


def test_blocks_on_a_multiprocessor():
    """Worked by hand from the table of the CUDA C++ Programming Guide."""
    assert blocks_per_sm("sm_90a", threads=256, registers=32, shared=0) == 8  # 64 warps
    assert blocks_per_sm("sm_90a", threads=256, registers=33, shared=0) == 6  # 40 registers taken
    assert blocks_per_sm("sm_75", threads=256, registers=32, shared=0) == 4  # 32 warps
    assert blocks_per_sm("sm_90a", threads=256, registers=32, shared=48 * 1024) == 4  # 49 KB of 228
    assert blocks_per_sm("sm_86", threads=32, registers=16, shared=0) == 16
    assert blocks_per_sm("sm_86", threads=256, registers=32, shared=100 * 1024) == 0


LISTING = """
.text.kernel:
.L_x_1:
        /*0000*/                   LDG.E.128 R4, desc[UR8][R2.64] ;
.L_x_2:
        /*0010*/                   LDS R29, [R11] ;
        /*0020*/              @!P0 FFMA R26, R26, R28, R29 ;
        /*0030*/                   LDS.128 R4, [R10] ;
        /*0040*/               @P0 BRA `(.L_x_2) ;
        /*0050*/               @P1 BRA `(.L_x_1) ;
.text.other:
        /*0000*/                   FFMA R26, R26, R28, R29 ;
"""


def test_the_main_loop_is_the_innermost_that_multiplies():
    loops = {entry: sass._main_loop(lines) for entry, lines in sass._entries(LISTING).items()}
    assert loops["kernel"] == sass.Loop(4, 1, {"LDS.128": 1, "LDS.32": 1})
    assert loops["kernel"].share == 0.25
    assert loops["other"] is None
