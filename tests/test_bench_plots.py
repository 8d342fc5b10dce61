"""Pictures of the report: where marks lie, what they say, and what stands apart from times."""

import re
from dataclasses import replace
from math import log10
from xml.etree import ElementTree

import pytest
from test_bench_report import ROWS, result, row

from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings
from gpuconv.benchmarks.page import page, plots, svg
from gpuconv.benchmarks.static_rows import Counts, Needs, StaticRow


def test_every_mark_lies_within_the_picture_where_its_figures_are():
    text = page(result(*ROWS))
    (plot,) = [p for p in re.findall(r"<svg viewBox.*?</svg>", text) if "Rooflines" in p]
    tree = ElementTree.fromstring(plot)
    discs = [(float(c.get("cx")), float(c.get("cy"))) for c in tree.iter("circle")]
    assert len(discs) == 2
    assert len(list(tree.iter("rect"))) == 1
    assert all(0 < x < svg.WIDTH and 0 < y < svg.HEIGHT for x, y in discs)
    (slower, faster) = discs  # what gpuconv takes is drawn last, above the others
    assert faster[0] == slower[0]
    assert faster[1] < slower[1]  # 100 GFLOP/s lie above 25
    tall = svg.HEIGHT - svg.TOP - svg.BOTTOM  # from 20 to 200, the next steps of a decade
    assert slower[1] - faster[1] == pytest.approx(log10(100 / 25) * tall, abs=0.2)


def test_the_roof_is_what_copies_and_multiply_adds_allow():
    """ROWS have 1000 operations for each byte; a tenth of one under 10 GB/s allows 1 GFLOP/s."""
    few = row("numba:direct", 1.0, 1.0, bytes=10**10)
    roof = Ceilings(1e11, 1e10)
    (points,) = re.findall(r'class="roof" points="(.*?)"', plots.roofline([few, ROWS[0]], roof))
    axes = svg.axes([(0.1, 1.0), (1000, 100), (10, 100)], "", "")
    at = [(axes.x(x), axes.y(y)) for x, y in ((0.1, 1), (10, 100), (1000, 100))]
    assert points == " ".join(f"{x:.1f},{y:.1f}" for x, y in at)


def test_a_picture_says_in_words_what_it_shows():
    for plot in re.findall(r"<svg viewBox.*?</svg>", page(result(*ROWS))):
        title, words = list(ElementTree.fromstring(plot))[:2]
        assert (title.tag, words.tag) == ("title", "desc")
        assert title.text
        assert words.text


@pytest.mark.parametrize(
    ("values", "ends"),
    [((3, 70), (2, 100)), ((0.5, 5000), (0.1, 10000)), ((4, 4), (2, 5)), ((5, 5), (2.5, 10))],
)
def test_axes_lie_around_their_values(values, ends):
    axes = svg.axes([(value, value) for value in values], "x", "y")
    assert axes.xs == pytest.approx(ends)
    assert axes.ys == axes.xs


def test_the_ladder_ends_with_the_fastest_and_knows_what_is_taken():
    text = plots.ladder([ROWS[0], row("numpy:im2col", 0.050, 5.0), ROWS[2]])
    shares = re.findall(r"<th scope='row'>(.*?)</th><td>1</td><td>(.*?) %</td>", text)
    assert shares[0] == ("numpy:im2col", "10")
    assert set(shares[1:3]) == {("numba:direct", "50"), (plots.TAKEN, "50")}
    assert shares[3] == ("torch NCHW", "100")


def test_static_figures_never_stand_beside_times():
    needs = {"sm_80": Needs(32, 0, 512, 8, 0.5), "sm_90a": Needs(40, 8, 1024, 4, 0.25)}
    counts = Counts(1, 0, 10, 40, 40, 20, 30, 20)
    launch = StaticRow("net c", "conv2d", "n=1", "cuda:direct", entry="run", blocks=7, threads=256)
    rows = [replace(launch, needs=needs, counts=counts)]
    rows += [StaticRow("net c", "conv2d", "n=1", "cuda:shy", state="refuses", note="is <shy>")]
    text = page(replace(result(*ROWS), static=rows))
    part = text[text.index('id="gpu-kernels-static"') : text.index('id="every-figure"')]
    assert "static, sm_90a" in part
    cells = "<td>7</td><td>256</td><td>40</td><td>8</td><td>1,024</td><td>25</td><td>4</td>"
    assert cells + "<td>1.5</td>" in part
    assert "refuses: is &lt;shy&gt;" in part
    assert not re.search(r"\bms\b", part)
    assert "cuda:direct" not in text.replace(part, "")
