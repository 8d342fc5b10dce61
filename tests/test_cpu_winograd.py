"""Winograd on the CPU: exact matrices, transforms, shapes beyond the battery's, NaN, costs."""

import ctypes
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from gpuconv import battery, cpu, device, formats, registry
from gpuconv.cpu import native, simd
from gpuconv.cpu.transforms import Transform
from gpuconv.kernels.conv2d import _numba_plan, _numba_winograd_plan, _winograd
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.registry import get_op

ONE, TWO = ((1, 1), (1, 1)), ((2, 2), (2, 2))
OPS = ("conv2d", "conv2d_input", "conv2d_weight")
DEEP = {  # shapes that fill blocks of channels, and what each is here for
    "blocked": Conv2dProblem(2, 32, 9, 13, 48, 3, 3, padding=ONE),
    "five": Conv2dProblem(1, 32, 9, 8, 16, 5, 5, padding=TWO),
    "padded blocks": Conv2dProblem(1, 31, 5, 6, 33, 3, 3, padding=ONE),
    "wide border": Conv2dProblem(1, 16, 4, 5, 16, 3, 3, padding=((4, 1), (0, 7))),
    "groups": Conv2dProblem(2, 32, 4, 5, 32, 3, 3, padding=ONE, groups=2),
    "uneven groups": Conv2dProblem(1, 24, 6, 5, 36, 5, 5, padding=TWO, groups=3),
    "long chain": Conv2dProblem(1, 1056, 3, 3, 16, 3, 3),
    "one result": Conv2dProblem(3, 16, 3, 3, 16, 3, 3),
}


def _named(op, name="numba:winograd"):
    (found,) = (k for k in get_op(op).kernels() if k.name == name)
    return found


def _close(op, problem):
    """The kernel against im2col in float64, which the battery holds against plain loops."""
    declared, kernel = get_op(op), _named(op)
    arrays = battery.draw(declared, problem)
    got = battery.outs_of(declared, kernel, problem, device.CPU, arrays)
    again = battery.outs_of(declared, kernel, problem, device.CPU, arrays, battery.FILLS[1])
    double, wide = [a.astype("float64") for a in arrays], problem.astype("float64")
    judge = _named(op, "numpy:im2col")
    want = battery.outs_of(declared, judge, wide, device.CPU, double)
    scale = battery.outs_of(declared, judge, wide, device.CPU, [abs(a) for a in double])
    (bound,) = battery.bounds_of(kernel, tuple(scale))
    battery.compare(op, got[0], want[0], bound, kernel.error, problem)
    assert got[0].tobytes() == again[0].tobytes()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("problem", DEEP.values(), ids=list(DEEP))
def test_shapes_that_fill_blocks(op, problem):
    _close(op, problem)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("level", ["generic", "avx512"])
def test_widths_that_are_not_this_cpus(monkeypatch, level, op):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    _close(op, DEEP["padded blocks"])


@pytest.mark.slow
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("level", list(simd.WIDTHS))
def test_every_case_at_every_width(monkeypatch, level, op):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    kernel, limits = _named(op), registry.current_limits()
    for problem in DEEP.values():
        _close(op, problem)
    for problem in get_op(op).cases():
        if kernel.objection(problem, device.CPU, limits) is None:
            battery.check(get_op(op), kernel, problem, device.CPU)
            battery.check(get_op(op), kernel, replace(problem, format=formats.native()), device.CPU)


@pytest.mark.parametrize("op", OPS)
def test_many_chunks_and_passes(monkeypatch, op):
    problem = Conv2dProblem(5, 16, 30, 27, 16, 3, 3, padding=ONE)
    monkeypatch.setattr(_numba_plan, "TARGET", 1 << 15)
    monkeypatch.setattr(_numba_winograd_plan, "TILES", 6)
    monkeypatch.setattr(_numba_winograd_plan, "SPACE", 1)
    for cached in (_numba_plan.plan, _numba_winograd_plan.plan):
        cached.cache_clear()
    plan = _numba_winograd_plan.plan(problem, False, cpu.level())
    assert plan.base.images < problem.n
    assert sum(count for _, count in plan.chunks(2)) == 2 * 8 * 7
    assert len(list(plan.chunks(2))) > 2
    _close(op, problem)


@pytest.mark.parametrize("op", OPS)
def test_bits_do_not_depend_on_threads(op):
    problem, declared = DEEP["blocked"], get_op(op)
    arrays = battery.draw(declared, problem)
    before, bits = cpu.get_num_threads(), set()
    for threads in (1, 2):
        cpu.set_num_threads(threads)
        try:
            out = battery.outs_of(declared, _named(op), problem, device.CPU, arrays)[0]
        finally:
            cpu.set_num_threads(before)
        bits.add(out.tobytes())
    assert len(bits) == 1


@pytest.mark.parametrize("op", OPS)
def test_blocks_give_the_bits_of_planes(op):
    problem, declared = DEEP["blocked"], get_op(op)
    inside = replace(problem, format=formats.native())
    arrays = battery.draw(declared, problem)
    plain = battery.outs_of(declared, _named(op), problem, device.CPU, arrays)[0]
    names = [name.rstrip("?") for name in declared.ins]
    given = [
        formats.blocked(a, inside.format) if inside.is_formatted(name) else a
        for name, a in zip(names, arrays, strict=True)
    ]
    blocked = battery.outs_of(declared, _named(op), inside, device.CPU, given)[0]
    if inside.is_formatted(declared.outs[0]):
        blocked = formats.plain(blocked, plain.shape[1])
    assert plain.tobytes() == blocked.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_spread_over_their_tiles_and_no_further(bad):
    problem = Conv2dProblem(1, 1, 16, 16, 2, 3, 3, padding=ONE)
    x, weight = np.ones((1, 1, 16, 16), np.float32), np.ones((2, 1, 3, 3), np.float32)
    x[0, 0, 5, 5] = bad  # read by the tile of results 4..7, and by no other: those read to row 4
    arrays = [x, weight, np.zeros(2, np.float32)]
    y = battery.outs_of(get_op("conv2d"), _named("conv2d"), problem, device.CPU, arrays)[0]
    spoilt = ~np.isfinite(y)
    assert spoilt[:, :, 4:7, 4:7].all()  # what the definition says
    assert not spoilt[:, :, :4].any()
    assert not spoilt[:, :, 8:].any()
    assert not spoilt[..., :4].any()
    assert not spoilt[..., 8:].any()


def test_idle_lanes_stay_zero_beside_infinity():
    problem = Conv2dProblem(1, 8, 4, 4, 13, 3, 3, padding=ONE, format=formats.native())
    x = np.full(problem.plain_shape("x"), np.inf, np.float32)
    weight = np.ones(problem.plain_shape("weight"), np.float32)
    arrays = [formats.blocked(x, problem.format), weight, None]
    y = battery.outs_of(get_op("conv2d"), _named("conv2d"), problem, device.CPU, arrays)[0]
    every = formats.plain(y, y.shape[1] * y.shape[-1])
    assert not np.isfinite(every[:, :13]).any()
    assert (every[:, 13:] == 0).all()


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (Conv2dProblem(1, 1, 9, 9, 1, 3, 5), "not 3 x 5"),
        (Conv2dProblem(1, 1, 9, 9, 1, 1, 1), "not 1 x 1"),
        (Conv2dProblem(1, 1, 9, 9, 1, 3, 3, (2, 1)), "stride 1 and dilation 1 only"),
        (Conv2dProblem(1, 1, 9, 9, 1, 3, 3, dilation=(1, 2)), "stride 1 and dilation 1 only"),
        (Conv2dProblem(1, 1, 9, 9, 1, 3, 3, dtype="float64"), "computes in fp32"),
    ],
)
@pytest.mark.parametrize("op", OPS)
def test_what_it_does_not_take_is_said(op, problem, why):
    with pytest.raises(registry.KernelError, match=why):
        registry.choose(get_op(op), problem, device.CPU, "numba:winograd")


CHOICES = [  # what was fastest by far where it was measured
    (Conv2dProblem(16, 192, 13, 13, 384, 3, 3, padding=ONE), "numba:winograd"),
    (Conv2dProblem(1, 64, 27, 27, 192, 5, 5, padding=TWO), "numba:winograd"),
    (Conv2dProblem(16, 3, 224, 224, 64, 11, 11, (4, 4), TWO), "numba:direct"),
    (Conv2dProblem(16, 128, 14, 14, 128, 3, 3, padding=ONE, groups=128), "numba:direct"),
    (Conv2dProblem(1, 1, 28, 28, 6, 5, 5, padding=TWO), "numpy:im2col"),
]


@pytest.mark.parametrize(("problem", "name"), CHOICES, ids=[name for _, name in CHOICES])
def test_costs_choose_between_the_cpus_kernels(monkeypatch, problem, name):
    monkeypatch.setenv("GPUCONV_SIMD", "avx2")
    kernels = [k for k in get_op("conv2d").kernels() if "cpu" in k.devices]
    kernels = [k for k in kernels if k.refuses(problem, device.CPU) is None]
    assert min(kernels, key=lambda k: k.cost(problem, device.CPU)).name == name


@pytest.mark.parametrize("level", list(simd.WIDTHS))
@pytest.mark.parametrize("op", OPS)
def test_every_kernel_of_the_cpu_has_a_cost_that_grows_with_the_batch(monkeypatch, op, level):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    ours = (k for k in get_op(op).kernels() if k.run.__module__.startswith("gpuconv.kernels"))
    for kernel in (k for k in ours if "cpu" in k.devices):
        for problem in (*get_op(op).cases(), *DEEP.values()):
            if kernel.refuses(problem, device.CPU) is None:
                costs = [kernel.cost(replace(problem, n=n), device.CPU) for n in (0, 1, 64)]
                assert 0 < costs[0] <= costs[1] < costs[2]


@pytest.mark.parametrize(("m", "r"), [(2, 3), (4, 3), (3, 5), (1, 2), (6, 3)])
def test_matrices_give_a_correlation_exactly(m, r):
    points = [Fraction(n, 4) for n in range(-2, m + r - 4)]
    _is_exact(_winograd.toom_cook(m, r, points))


@pytest.mark.parametrize("r", list(_winograd.RESULTS))
def test_the_algorithms_in_use_give_a_correlation_exactly(r):
    made = _winograd.algorithm(r)
    assert (made.m, made.r) == (_winograd.RESULTS[r], r)
    _is_exact(made)


def _is_exact(made):
    x = [Fraction(3 * i * i - 7, 1 + i) for i in range(made.size)]
    w = [Fraction(5 - 2 * i, 3) for i in range(made.r)]
    both = zip(_times(made.weights, w), _times(made.forward, x), strict=True)
    want = [sum(w[j] * x[i + j] for j in range(made.r)) for i in range(made.m)]
    assert _times(made.back, [a * b for a, b in both]) == want


def _times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


MATRICES = [
    _winograd.algorithm(3).forward,
    _winograd.algorithm(5).weights,
    _winograd.algorithm(3).back,
]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(("bounded", "ends"), [(True, False), (False, True), (False, False)])
def test_transform(matrix, bounded, ends):
    lanes, (results, size) = 8, (len(matrix), len(matrix[0]))
    tile = Transform(matrix, lanes, 4, bounded, ends)
    draw = np.random.default_rng(4)
    x, bias = (draw.standard_normal(s).astype("f") for s in ((size, size, lanes), lanes))
    y = np.full((results, results, lanes), 9, np.float32)
    wide, exact = x.astype("d"), np.array(matrix, dtype=float)
    if bounded:
        wide[:1], wide[:, size - 1 :] = 0, 0
        x[:1], x[:, size - 1 :] = np.nan, np.nan
    want = np.einsum("ai,ijl,bj->abl", exact, wide, exact)
    if ends:
        want = np.maximum(want + bias, 0)
        want[results - 1 :], want[:, results - 2 :] = 9, 9
    window = (1, size, 0, size - 1)
    arguments = (x, *x.strides[:2], *window, y, *y.strides[:2], results - 1, results - 2, bias, 1)
    given = [a.ctypes.data if isinstance(a, np.ndarray) else a for a in arguments]
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(given))(native.address(tile))(*given)
    np.testing.assert_allclose(y, want, rtol=2e-5, atol=2e-5)
