"""The CPU's door: tiles against NumPy, the cache of built code, threads, forks."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

import gpuconv
from gpuconv import _cache, cpu, formats
from gpuconv.cpu import native, progress, simd, threads
from gpuconv.errors import OptionError

PRODUCTS = [
    cpu.Product(3, 8, 4, 8, 1),
    cpu.Product(2, 4, 3, 2, 5),
    cpu.Product(1, 16, 2, 16, 32, True),
]
OUTERS = [cpu.Outer(3, 8, 8, 1), cpu.Outer(2, 4, 2, 3), cpu.Outer(2, 16, 16, 48, per_lane=True)]


def _named(tile):
    return tile.name


def _call(tile, *args):
    pointers = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in args]
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(pointers))
    kind(native.address(tile))(*pointers)


def _normal(*shape):
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def _read(tile, flat, at):
    return flat[at : at + tile.lanes] if tile.per_lane else flat[at]


@pytest.mark.parametrize("tile", PRODUCTS, ids=_named)
@pytest.mark.parametrize(("add", "relu", "biased"), [(0, 0, True), (1, 1, False), (0, 1, True)])
def test_product(tile, add, relu, biased):
    a, b = _normal(2, 3, 2, 200), _normal(2, 3, 2, tile.depth, tile.lanes)
    bias, c = _normal(tile.lanes), _normal(tile.rows + 1, tile.lanes)
    want = c.astype(np.float64)
    for m in range(tile.rows):
        total = want[m] * add + bias * biased
        for at in np.ndindex(2, 3, 2):
            for d in range(tile.depth):
                total = total + _read(tile, a[at], m * tile.row + d * tile.step) * b[(*at, d)]
        want[m] = np.maximum(total, 0) if relu else total
    loops = (2, a.strides[0], 3, a.strides[1], 2, a.strides[2])
    _call(tile, a, b, c, bias if biased else 0, add, relu, *loops)
    np.testing.assert_allclose(c, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tile", OUTERS, ids=_named)
@pytest.mark.parametrize("add", [0, 1])
def test_outer(tile, add):
    points = 4 * 2 + 3  # two of the loop that is written out four times, and three more
    a, d = _normal(3, 400), _normal(3, points, tile.lanes)
    c = _normal(tile.rows + 1, tile.lanes)
    want = c.astype(np.float64)
    for m in range(tile.rows):
        total = want[m] * add
        for row, p in np.ndindex(3, points):
            total = total + _read(tile, a[row], p * tile.point + m * tile.row) * d[row, p]
        want[m] = total
    _call(tile, a, d, c, add, 3, a.strides[0], d.strides[0], points // 4, points % 4)
    np.testing.assert_allclose(c, want, rtol=1e-5, atol=1e-5)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path))
    monkeypatch.setattr(native, "_ADDRESSES", {})
    return tmp_path


def _built(monkeypatch):
    """How many tiles are compiled from here on."""
    made, real = [], native._object
    monkeypatch.setattr(native, "_object", lambda tile: made.append(tile) or real(tile))
    return made


def test_code_is_kept_on_disk_and_built_anew_when_damaged(empty_cache, monkeypatch):
    made, tile = _built(monkeypatch), cpu.Product(1, 4, 1, 4, 1)
    (path,) = [native._artifact(tile) for _ in range(2)][:1]
    assert len(made) == 1
    path.write_bytes(path.read_bytes()[:-9])
    assert native._artifact(tile) == path
    assert len(made) == 2
    assert _cache.intact(path)


def test_code_of_another_cpu_or_version_is_not_used(empty_cache, monkeypatch):
    made, tile = _built(monkeypatch), cpu.Product(1, 4, 1, 4, 1)
    first = native._artifact(tile)
    monkeypatch.setattr(native, "_build", lambda: "another CPU")
    assert native._artifact(tile) != first
    assert len(made) == 2


def test_a_listener_hears_once_that_code_is_compiled(empty_cache, monkeypatch):
    heard = []
    monkeypatch.setattr(progress, "_listeners", [])
    progress.on_compiling(lambda: heard.append("compiling"))
    native._artifact(cpu.Product(1, 4, 1, 4, 2))
    native._artifact(cpu.Product(1, 4, 1, 4, 3))
    assert heard == ["compiling"]


@pytest.mark.parametrize(("level", "lanes"), [("avx512", 16), ("avx2", 16), ("generic", 8)])
def test_lanes_are_two_vectors_where_registers_are_few(monkeypatch, level, lanes):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    assert cpu.lanes_for(64) == lanes
    assert cpu.lanes_for(1) == min(8, simd.WIDTHS[level])  # half of a long vector holds it, too
    for channels in (6, 8, 16, 24):
        assert cpu.lanes_for(channels) == formats.lanes(channels, formats.native())
    vectors = -(-lanes // simd.width())
    assert cpu.rows_for(lanes) * vectors + vectors < simd.REGISTERS[level]


def test_an_unknown_width_is_refused(monkeypatch):
    monkeypatch.setenv("GPUCONV_SIMD", "mmx")
    with pytest.raises(OptionError, match="GPUCONV_SIMD=mmx: expected one of avx512, avx2"):
        cpu.level()


def test_threads_from_the_environment_and_by_call(monkeypatch):
    monkeypatch.delenv("GPUCONV_NUM_THREADS")
    monkeypatch.setitem(threads._state, "threads", None)
    monkeypatch.setattr(threads, "cores", lambda: 8)
    assert gpuconv.get_num_threads() == 8
    monkeypatch.setenv("GPUCONV_NUM_THREADS", "3")
    assert gpuconv.get_num_threads() == 3
    gpuconv.set_num_threads(5)
    assert gpuconv.get_num_threads() == 5
    gpuconv.set_num_threads(99)
    assert gpuconv.get_num_threads() == 8


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_bad_numbers_of_threads(monkeypatch, text):
    monkeypatch.setitem(threads._state, "threads", None)
    monkeypatch.setenv("GPUCONV_NUM_THREADS", text)
    with pytest.raises(OptionError, match="GPUCONV_NUM_THREADS"):
        gpuconv.get_num_threads()
    with pytest.raises(OptionError, match="set_num_threads: count must be an integer"):
        gpuconv.set_num_threads(text)


def test_importing_gpuconv_and_its_kernels_loads_no_compiler():
    code = (
        "import sys, gpuconv; from gpuconv import registry\n"
        "registry.get_op('conv2d').kernels()\n"
        "print([m for m in ('numba', 'llvmlite') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
