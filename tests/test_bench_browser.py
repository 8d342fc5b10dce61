"""The report in a browser: in the light and in the dark, on a desk's screen and on a phone's."""

from dataclasses import replace

import browser
import pytest
from house_rules import ROOT
from test_bench_report import ROWS, result

from gpuconv.benchmarks import history
from gpuconv.benchmarks.page import page
from gpuconv.benchmarks.static_rows import Counts, Needs, StaticRow

pytestmark = pytest.mark.browser
WIDTHS = [1280, 390]
READABLE = 4.5  # of contrast, WCAG 2.2, 1.4.3
STATIC = StaticRow(
    "net c", "conv2d", "n=1", "cuda:direct", entry="run", blocks=7, threads=256,
    needs={"sm_90a": Needs(40, 8, 1024, 4, 0.25)}, counts=Counts(1, 0, 10, 40, 40, 20, 30, 20),
)  # fmt: skip


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A page with every section."""
    folder = tmp_path_factory.mktemp("kept")
    kept = history.load(history.save(result(*ROWS, date="2025-12-31T00:00:00+00:00"), folder))
    larger = [replace(r, batch=8, problem="n=8") for r in ROWS]
    relu = [replace(r, op="relu") for r in ROWS]
    relu += [replace(r, op="training step", suite="nets", peak=1 << 30) for r in ROWS]
    return page(replace(result(*ROWS, *larger, *relu), static=[STATIC]), kept)


def faults(text, scheme, folder):
    """What is wrong with a page, in words."""
    pages, console = browser.look(text, scheme, WIDTHS, folder)
    found = [f"console: {line}" for line in console]
    for width, seen in zip(WIDTHS, pages, strict=True):
        assert seen["client"] == width
        assert seen["texts"] > 100
        found += [f"{width}: wider than the screen"] if seen["scroll"] > width else []
        found += [f"{width}: not seen: {text}" for text in seen["hidden"]]
        found += [f"{width}: fetches {name}" for name in seen["fetched"]]
        contrast, text = seen["faintest"]
        found += [f"{width}: faint: {text}"] if not contrast >= READABLE else []
        assert (seen["paper"] == "rgb(255, 255, 255)") is (scheme == "light")
    return found


@pytest.mark.parametrize("scheme", browser.SCHEMES)
def test_the_report_is_right_in_a_browser(full, scheme, tmp_path):
    assert faults(full, scheme, tmp_path) == []


@pytest.mark.slow
def test_the_committed_report_is_right_in_a_browser(tmp_path):
    text = (ROOT / "docs" / "bench-alexnet.html").read_text(encoding="utf-8")
    for scheme in browser.SCHEMES:
        assert faults(text, scheme, tmp_path) == []


def test_a_browser_sees_what_is_wrong(full, tmp_path):
    bad = full.replace(".wide { overflow-x: auto;", ".wide {")
    bad = bad.replace("--dim: #5b6474", "--dim: #bbb")
    more = "<img src='http://127.0.0.1:9/no.png'><script>nothing()</script>"
    bad = bad.replace("<h1>", f"{more}<h1 style='height:0'>")
    told = " ".join(faults(bad, "light", tmp_path))
    for words in ("390: wider than", "faint: <d", "fetches", "nothing is not defined"):
        assert words in told
    assert "1280: wider than" not in told
