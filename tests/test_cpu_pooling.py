"""The CPU's poolings where the battery's small cases do not reach: blocks, widths, threads."""

from dataclasses import replace

import numpy as np
import pytest

from gpuconv import battery, cpu, device, formats
from gpuconv.kernels.adaptive_pool2d.op import AdaptivePool2dProblem
from gpuconv.kernels.pool2d import _numba_axes
from gpuconv.kernels.pool2d.op import AvgPool2dProblem, Pool2dProblem
from gpuconv.registry import get_op

ONE = ((1, 1), (1, 1))
MAX = {  # few channels of each kind of block, and what each is here for
    "written out": Pool2dProblem(2, 7, 9, 8, (3, 3), (2, 2)),
    "padded": Pool2dProblem(1, 17, 5, 6, (3, 3), (2, 2), ONE),
    "side by side": Pool2dProblem(1, 6, 6, 4, (2, 2), (2, 2)),
    "dilated": Pool2dProblem(1, 8, 9, 8, (3, 2), (2, 1), ((1, 1), (1, 0)), (2, 3)),
    "dilated, written out": Pool2dProblem(1, 8, 10, 9, (3, 3), (1, 1), ONE, (2, 2)),
    "hanging over": Pool2dProblem(1, 3, 6, 7, (3, 2), (2, 2), ONE, (1, 1), True),
}
AVERAGE = {
    "written out": AvgPool2dProblem(2, 7, 6, 7, (3, 3), (2, 2)),
    "padding counts": AvgPool2dProblem(1, 17, 4, 5, (3, 2), (2, 1), ONE),
    "padding does not": AvgPool2dProblem(1, 8, 4, 5, (3, 2), (2, 1), ONE, count_include_pad=False),
    "hanging over": AvgPool2dProblem(1, 7, 6, 7, (3, 2), (2, 2), ONE, (1, 1), True),
    "only padding": AvgPool2dProblem(1, 6, 3, 4, (2, 2), (2, 1), ((2, 3), (1, 2))),
}
BINS = {
    "uneven": AdaptivePool2dProblem(2, 7, 7, 5, 3, 4),
    "repeated": AdaptivePool2dProblem(1, 17, 3, 2, 5, 3),
    "one": AdaptivePool2dProblem(2, 9, 4, 3, 1, 1),
}
PROBLEMS = {"max_pool2d": MAX, "avg_pool2d": AVERAGE, "adaptive_avg_pool2d": BINS}
CASES = [
    pytest.param(op + suffix, problem, id=f"{op}{suffix}-{name}")
    for op, problems in PROBLEMS.items()
    for suffix in ("", "_backward")
    for name, problem in problems.items()
]
LEVELS = {"generic": "NCHWc4", "avx2": "NCHWc8", "avx512": "NCHWc16"}


def _direct(op):
    (found,) = (k for k in get_op(op).kernels() if k.name == "numba:direct")
    return found


def _check(op, problem):
    battery.check(get_op(op), _direct(op), problem, device.CPU)


@pytest.mark.parametrize(("op", "problem"), CASES)
def test_plain_and_in_this_cpus_blocks(op, problem):
    _check(op, problem)
    _check(op, replace(problem, format=formats.native()))


@pytest.mark.slow
@pytest.mark.parametrize("level", list(LEVELS))
@pytest.mark.parametrize(("op", "problem"), CASES)
def test_blocks_of_every_width(monkeypatch, level, op, problem):
    monkeypatch.setenv("GPUCONV_SIMD", level)
    _check(op, replace(problem, format=LEVELS[level]))


@pytest.mark.parametrize("op", ["max_pool2d", "max_pool2d_backward"])
def test_nan_in_one_lane_is_its_own_planes_alone(op):
    """Ties, NaN, infinities and zeros of both signs come from the op's own draw, in all lanes."""
    problem = Pool2dProblem(3, 16, 5, 7, (3, 3), (1, 2), ONE, format=formats.native())
    _check(op, problem)


@pytest.mark.parametrize("op", ["max_pool2d_backward", "avg_pool2d_backward"])
def test_bits_do_not_depend_on_threads(op):
    kind = Pool2dProblem if op.startswith("max") else AvgPool2dProblem
    problem, declared = kind(1, 16, 21, 20, (3, 3), (1, 1), ONE), get_op(op)
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


@pytest.mark.parametrize("blocked", [False, True])
def test_an_index_outside_its_window_counts_for_nothing(blocked):
    format = formats.native() if blocked else formats.NCHW
    problem = Pool2dProblem(1, 16, 6, 6, (2, 2), (2, 2), format=format)
    dy = np.ones((1, 16, 3, 3), np.float32)
    index = np.zeros((1, 16, 3, 3), np.int32)  # the first element: in the first window only
    index[0, :, 0, 1] = 8  # row 1, column 2: the second window's
    index[0, :, 2, 2] = -1
    index[0, :, 1, 1] = 99
    given = [formats.blocked(a, format) for a in (dy, index)] if blocked else [dy, index]
    op = get_op("max_pool2d_backward")
    (dx,) = battery.outs_of(op, _direct(op.name), problem, device.CPU, given)
    want = np.zeros((1, 16, 6, 6), np.float32)
    want[0, :, 0, 0] = want[0, :, 1, 2] = 1
    np.testing.assert_array_equal(formats.plain(dx, 16) if blocked else dx, want)


@pytest.mark.parametrize("stride", [(1, 1), (3, 2), (5, 4)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3), (6, 4)])
def test_tables_meet_every_pair_once(stride, dilation):
    problem = Pool2dProblem(1, 1, 17, 19, (3, 2), stride, ((1, 2), (1, 0)), dilation)
    windows = _numba_axes.windows(problem)
    met = {out: set() for out, _ in problem.windows()}
    for out, inside in problem.windows():
        met[out].update(i[2:] for i in inside)
    rows, cols, back = windows.rows, windows.cols, windows.back

    def along(axis, i):
        return [int(axis.begin[i]) + n * axis.step for n in range(axis.count[i])]

    for out, inside in met.items():
        assert {(h, w) for h in along(rows, out[2]) for w in along(cols, out[3])} == inside
    pairs = {(h, p) for p in range(problem.p) for h in along(rows, p)}
    assert {(h, p) for h in range(problem.h) for p in along(back, h)} == pairs
