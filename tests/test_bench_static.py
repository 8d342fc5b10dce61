"""What gpuconv bench knows of GPU kernels without a GPU, and that it is no time."""

from dataclasses import fields

import pytest

from gpuconv import registry
from gpuconv.benchmarks import cases, figures, static_rows
from gpuconv.cuda.occupancy import MULTIPROCESSORS
from gpuconv.emulator import build


def of(name, *ops, **options):
    return list(static_rows.static_rows(cases.cases(name, ops), **options))


def test_every_cuda_kernel_has_what_its_entries_need_or_why_it_refuses():
    found = of("lenet", "conv2d", "linear_weight", emulate=False)
    assert {row.kernel for row in found} == {
        kernel.name
        for op in ("conv2d", "linear_weight")
        for kernel in registry.get_op(op).kernels()
        if kernel.backend == "cuda"
    }
    for row in found:
        if row.state == figures.REFUSED:
            assert row.note
            assert row.needs is None
        else:
            assert row.needs or row.note == static_rows.UNKNOWN, row
            assert set(row.needs) <= set(MULTIPROCESSORS)
            assert all(0 < n.occupancy <= 1 and n.registers > 0 for n in row.needs.values())
        assert row.counts is None


def test_a_build_that_the_table_lacks_is_said(monkeypatch):
    monkeypatch.setattr(static_rows.static, "stored", dict)
    row, *_ = of("lenet", "relu", emulate=False)
    assert (row.needs, row.note) == ({}, static_rows.UNKNOWN)


def test_a_static_row_has_no_time():
    names = {f.name for f in fields(static_rows.StaticRow)}
    assert not names & {"timing", "median", "seconds", "ratio", "roofline"}
    assert figures.STATIC != figures.MEASURED


def test_one_image_stands_for_the_batch():
    (case, *_) = cases.cases("lenet", ["conv2d"])
    assert static_rows.of_one_image(case.problem).n == 1
    (case, *_) = cases.cases("lenet", ["relu"])
    assert static_rows.of_one_image(case.problem).shape[0] == 1


def test_a_few_blocks_of_a_grid_are_counted_and_one_of_long_blocks():
    assert static_rows.sample(3, 10) == [0, 1, 2]
    some = static_rows.sample(1000, 0)
    assert len(some) == len(set(some)) == static_rows.MOST_BLOCKS
    assert some[0] > 0
    assert some[-1] < 1000
    assert static_rows.sample(10, 1e9) == [5]


@pytest.mark.emulated
@pytest.mark.skipif(not build.available()[0], reason=f"emulated: {build.available()[1]}")
def test_the_emulator_counts_sectors_and_passes():
    plain, vectorised = of("lenet", "relu")[:2]
    assert plain.counts.sectors_per_request == 4.0  # 32 floats side by side: 128 bytes
    assert plain.counts.passes_per_request is None
    assert vectorised.counts.sectors_per_request == pytest.approx(16, abs=0.5)
    assert (plain.counts.blocks, plain.blocks) == (8, 19)
    assert plain.counts.sectors == plain.counts.ideal_sectors
    assert plain.note == ""


def test_without_a_compiler_the_table_remains(monkeypatch):
    monkeypatch.setattr(static_rows.emulator, "available", lambda: (False, "no compiler"))
    row, *_ = of("lenet", "relu")
    assert (row.counts, row.note) == (None, "no compiler")
    assert row.needs
