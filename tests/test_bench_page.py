"""Parts of the report that only some runs have: several ops, batches, suites, runs before."""

import re
from dataclasses import replace

from test_bench_report import ROWS, read, result, row

from gpuconv.benchmarks import history
from gpuconv.benchmarks.measure import Timing
from gpuconv.benchmarks.page import page


def test_the_best_of_a_librarys_ways_stands_for_it():
    ways = [replace(ROWS[2], name="torch NHWC", ratio=0.4), replace(ROWS[2], ratio=0.5)]
    text = page(result(ROWS[0], *ways))
    assert "title='torch NHWC, 5 ms'>0.40 ▼</td>" in text
    assert "<th scope='col'>torch</th>" in text


def test_ops_have_means_of_their_own():
    other = [replace(r, op="relu", ratio=r.ratio and 4 * r.ratio) for r in ROWS[:3]]
    other[0] = replace(other[0], ratio=1.0)
    text = page(result(*ROWS, *other))
    assert "Op by op" in text
    assert "<tr><th scope='row'>relu</th><td class='faster'>2.00" in text
    assert "geometric mean of all</th><td class=''>1.00" in text
    assert "Op by op" not in page(result(*ROWS))


def test_batches_and_history_have_their_parts_where_there_are_some(tmp_path):
    assert "Time against batch size" not in page(result(*ROWS))
    larger = [replace(r, batch=8, problem="n=8") for r in ROWS]

    for day in (1, 2):
        history.save(result(*ROWS, date=f"2026-01-0{day}T00:00:00+00:00"), tmp_path)
    (path,) = tmp_path.iterdir()
    kept = history.load(path)
    text = page(result(*ROWS, *larger), kept)
    assert "Time against batch size" in text
    past = text[text.index('id="history"') : text.index('id="every-figure"')]
    assert past.count("on 2026-01-02T00:00") == 3  # a mark for each kernel that was timed
    assert past.count("class='spark") == 3
    assert "History" not in page(result(*ROWS), kept[: len(ROWS)])


def test_a_run_that_was_not_kept_ends_the_lines_of_those_that_were(tmp_path):
    day = "2026-01-0{}T00:00:00+00:00"
    kept = history.load(history.save(result(*ROWS, date=day.format(1)), tmp_path))
    slow = replace(ROWS[0], timing=Timing(0.020, 0.018, 0.022, 5))
    text = page(result(slow, date=day.format(2)), kept)
    assert "<td>2</td><td>10</td><td>20</td><td class='slower'>2.00</td>" in text
    assert len(kept) == len(ROWS)


def test_what_is_not_a_kernel_has_sections_of_its_own():
    step = {"op": "training step", "suite": "nets", "problem": "x n=4"}
    held = {"op": "memory of training step", "suite": "memory", "problem": "x n=4", "timing": None}
    rows = [row("gpuconv", 0.010, 1.0, **step), row("torch", 0.005, 0.5, is_peer=True, **step)]
    rows += [replace(ROWS[4], **step)]
    rows += [row("gpuconv", None, 1.0, peak=7 << 20, **held)]
    text = page(result(*rows))
    assert re.findall('<section id="(.*?)"', text) == ["suite-nets", "suite-memory"]
    times = "<td>5</td><td>4.5</td><td>5.5</td><td>800</td><td></td><td class='slower'>0.50 ▼</td>"
    assert times in text
    assert "<td></td><td></td><td></td><td></td><td>7</td><td>1.00</td>" in text
    assert "not installed: the package onnx" in text
    assert "Suite:" not in page(result(*ROWS))
    read(text)
