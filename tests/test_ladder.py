"""docs/ladder.md shows what the kernels do today."""

import subprocess

import pytest

from gpuconv.benchmarks import ladder
from gpuconv.emulator import build

COMMAND = "docs/ladder.md is not of today: run python -m gpuconv.benchmarks.ladder --write"
VERSION = "12"  # of the g++ whose code the page counts: another may make other reads of a source


def why_not():
    """Why counts cannot be compared here, or None."""
    usable, reason = build.available()
    if not usable:
        return reason
    found = build.compiler()
    command = [found.path, "-dumpversion"]
    version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    same = (found.family, version.split(".")[0]) == ("g++", VERSION)
    return None if same else f"the page counts g++ {VERSION}'s code, here is {found.path} {version}"


@pytest.mark.emulated
@pytest.mark.skipif(why_not() is not None, reason=f"emulated counts: {why_not()}")
@pytest.mark.parametrize(
    "title",
    [
        pytest.param(title, marks=[] if "stride 2" in title else [pytest.mark.slow])
        for title in ladder.PROBLEMS
    ],
)
def test_the_page_shows_the_counts_of_today(title):
    found = list(ladder.rows(ladder.PROBLEMS[title]))
    assert {row.op.name for row in found} == set(ladder.OPS)
    assert ladder.statistics_tables(title, found) in ladder.shown(), COMMAND


def test_the_page_shows_what_compiled_kernels_need():
    every = [row for problem in ladder.PROBLEMS.values() for row in ladder.rows(problem)]
    assert ladder.static_table(every) in ladder.shown(), COMMAND


def test_a_table_is_set_to_the_right():
    text = ladder.table(("kernel", "blocks"), [("direct", 1), ("tiled", 20)])
    assert text == "| kernel | blocks |\n| --- | --: |\n| direct | 1 |\n| tiled | 20 |\n"


def test_write_replaces_what_is_between_the_markers(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("before\n" + "old\n".join(ladder.MARKERS) + "after\n")
    monkeypatch.setattr(ladder, "PAGE", page)
    monkeypatch.setattr(ladder, "PROBLEMS", {})
    monkeypatch.setattr("sys.argv", ["ladder", "--write"])
    ladder.main()
    assert ladder.shown() == ladder.tables()
    assert page.read_text().startswith("before\n" + ladder.MARKERS[0] + "\n### What sm_90a")
    assert page.read_text().endswith(ladder.MARKERS[1] + "after\n")
