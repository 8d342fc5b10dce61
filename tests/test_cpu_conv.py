"""The CPU's convolutions where the battery's small cases do not reach: blocks, slices, widths."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from gpuconv import battery, cpu, device, formats, registry
from gpuconv.kernels.conv2d import _axes, _numba_plan
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.registry import get_op

ONE, TWO = ((1, 1), (1, 1)), ((2, 2), (2, 2))
DEEP = {  # shapes that fill blocks of channels, and what each is here for
    "blocked": Conv2dProblem(2, 32, 7, 13, 48, 3, 3, padding=ONE),
    "padded blocks": Conv2dProblem(1, 31, 5, 6, 33, 3, 3, padding=ONE),
    "strided": Conv2dProblem(1, 32, 9, 16, 16, 3, 3, (2, 2), ONE),
    "dilated": Conv2dProblem(1, 16, 12, 11, 16, 3, 3, (2, 3), TWO, (2, 3)),
    "groups": Conv2dProblem(2, 32, 4, 5, 32, 3, 3, padding=ONE, groups=2),
    "side by side": Conv2dProblem(1, 32, 5, 4, 64, 3, 3, (2, 1), ONE, groups=8),
    "long chain": Conv2dProblem(1, 512, 2, 3, 16, 1, 1),
    "two chains": Conv2dProblem(1, 80, 4, 5, 16, 3, 3, padding=ONE, epilogue="relu"),
    "many blocks": Conv2dProblem(2, 144, 2, 3, 128, 1, 1),
    "pixels left out": Conv2dProblem(2, 32, 7, 10, 48, 1, 1, (2, 3)),
    "few channels left out": Conv2dProblem(2, 3, 7, 8, 16, 1, 1, (3, 2)),
    "long row": Conv2dProblem(1, 1, 2, 61, 8, 1, 17, padding=((0, 0), (8, 8))),
    "slices": Conv2dProblem(35, 3, 6, 6, 6, 3, 3),
}
OPS = ("conv2d", "conv2d_input", "conv2d_weight")


def _direct(op):
    (found,) = (k for k in get_op(op).kernels() if k.name == "numba:direct")
    return found


def _fast_reference(op, problem, arrays):
    """The same in float64 by im2col, which the battery holds against plain loops."""
    (kernel,) = (k for k in get_op(op).kernels() if k.name == "numpy:im2col")
    wide = problem.astype("float64")
    return battery.outs_of(get_op(op), kernel, wide, device.CPU, arrays)


def _close(op, problem):
    declared, kernel = get_op(op), _direct(op)
    arrays = battery.draw(declared, problem)
    got = battery.outs_of(declared, kernel, problem, device.CPU, arrays)
    again = battery.outs_of(declared, kernel, problem, device.CPU, arrays, battery.FILLS[1])
    double = [a.astype("float64") for a in arrays]
    want = _fast_reference(op, problem, double)
    scale = _fast_reference(op, problem, [abs(a) for a in double])
    battery.compare(op, got[0], want[0], scale[0], kernel.error, problem)
    assert got[0].tobytes() == again[0].tobytes()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("problem", DEEP.values(), ids=list(DEEP))
def test_shapes_that_fill_blocks(op, problem):
    _close(op, problem)


def _in_blocks(op, problem, arrays):
    """The op's out in NCHW, worked out from arrays in this CPU's blocks."""
    declared, target = get_op(op), replace(problem, format=formats.native())
    given = [
        formats.blocked(a, target.format) if target.is_formatted(name) else a
        for name, a in zip((n.rstrip("?") for n in declared.ins), arrays, strict=True)
    ]
    out = battery.outs_of(declared, _direct(op), target, device.CPU, given)[0]
    name = declared.outs[0]
    if not target.is_formatted(name):
        return out
    channels = problem.plain_shape(name)[1]
    every = formats.plain(out, out.shape[1] * out.shape[-1])
    assert not every[:, channels:].any()
    return np.ascontiguousarray(every[:, :channels])


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("problem", DEEP.values(), ids=list(DEEP))
def test_blocks_give_the_bits_of_nchw(op, problem):
    arrays = battery.draw(get_op(op), problem)
    plain = battery.outs_of(get_op(op), _direct(op), problem, device.CPU, arrays)[0]
    assert _in_blocks(op, problem, arrays).tobytes() == plain.tobytes()


def test_an_infinity_stays_out_of_idle_lanes():
    problem = DEEP["padded blocks"]
    arrays = battery.draw(get_op("conv2d"), problem)
    arrays[0][0, 3, 2, 2] = np.inf
    out = _in_blocks("conv2d", problem, arrays)
    assert not np.isfinite(out).all()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("level", ["generic", "avx512"])
def test_widths_that_are_not_this_cpus(monkeypatch, level, op):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    _close(op, DEEP["padded blocks"])
    _close(op, DEEP["side by side"])


@pytest.mark.slow
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("level", list(cpu.simd.WIDTHS))
def test_every_case_at_every_width(monkeypatch, level, op):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    for problem in DEEP.values():
        _close(op, problem)
    for problem in get_op(op).cases():
        battery.check(get_op(op), _direct(op), problem, device.CPU)


@pytest.mark.parametrize("op", OPS)
def test_a_batch_in_several_passes(monkeypatch, op):
    problem = Conv2dProblem(7, 16, 5, 6, 16, 3, 3, padding=ONE)
    monkeypatch.setattr(_numba_plan, "TARGET", 1 << 14)
    _numba_plan.plan.cache_clear()
    passes = list(_numba_plan.plan(problem, False, cpu.level()).passes())
    assert len(passes) > 2
    assert sum(count for _, count in passes) == 7
    _close(op, problem)


@pytest.mark.parametrize("op", OPS)
def test_bits_do_not_depend_on_threads(op):
    problem, declared = DEEP["slices"], get_op(op)
    arrays = battery.draw(declared, problem)
    before, bits = cpu.get_num_threads(), set()
    for threads in (1, 2):
        cpu.set_num_threads(threads)
        try:
            out = battery.outs_of(declared, _direct(op), problem, device.CPU, arrays)[0]
        finally:
            cpu.set_num_threads(before)
        bits.add(out.tobytes())
    assert len(bits) == 1


def test_nan_is_kept_by_relu_and_stays_where_it_belongs():
    problem = Conv2dProblem(1, 1, 3, 40, 2, 1, 1, epilogue="relu")
    x = np.full((1, 1, 3, 40), -1, np.float32)
    x[0, 0, 1, 7] = np.nan
    weight, bias = np.ones((2, 1, 1, 1), np.float32), np.zeros(2, np.float32)
    arrays = [x, weight, bias]
    got = battery.outs_of(get_op("conv2d"), _direct("conv2d"), problem, device.CPU, arrays)[0]
    assert np.isnan(got[0, :, 1, 7]).all()
    assert np.isnan(got).sum() == 2
    assert (np.nan_to_num(got) == 0).all()


def test_several_python_threads_at_once():
    problem, declared = DEEP["blocked"], get_op("conv2d")
    arrays, results = battery.draw(declared, problem), []

    def work():
        for _ in range(5):
            out = battery.outs_of(declared, _direct("conv2d"), problem, device.CPU, arrays)[0]
            results.append(out.tobytes())

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 15
    assert len(set(results)) == 1


def test_float64_is_refused_with_a_reason():
    problem = DEEP["blocked"].astype("float64")
    with pytest.raises(registry.KernelError, match="numba:direct: computes in fp32"):
        registry.choose(get_op("conv2d"), problem, device.CPU, "numba:direct")


def _products(problem):
    """(row and column of dx, of the weight) for every product of the data gradient's classes."""
    for rows, cols in _axes.backward(problem):
        for i, j, a, b in np.ndindex(rows.results, cols.results, len(rows.taps), len(cols.taps)):
            p = rows.start + i * rows.stride + a * rows.step
            q = cols.start + j * cols.stride + b * cols.step
            if 0 <= p < problem.p and 0 <= q < problem.q:
                at = rows.first + i * rows.every, cols.first + j * cols.every
                yield (p, q), at, (rows.taps[a], cols.taps[b])


@pytest.mark.parametrize("stride", [(1, 1), (3, 2), (5, 7)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
def test_classes_of_the_data_gradient_meet_every_product_once(stride, dilation):
    problem = Conv2dProblem(1, 1, 13, 17, 1, 3, 4, stride, ONE, dilation)
    met = list(_products(problem))
    wanted = {(y[2:], x[2:], weight[2:]) for y, weight, x in problem.taps()}
    assert len(met) == len(wanted)
    assert set(met) == wanted
