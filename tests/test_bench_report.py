"""What gpuconv bench keeps: the HTML report, the history, and what changed since."""

import json
import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import pytest
from command_line import fail, succeed

from gpuconv import errors
from gpuconv.benchmarks import figures, history, measure
from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings
from gpuconv.benchmarks.figures import Row
from gpuconv.benchmarks.measure import Timing
from gpuconv.benchmarks.page import names, page
from gpuconv.benchmarks.suite import Result

ROOF = Ceilings(1e11, 1e10)
QUICK = ["--batch-size", 2, "--device", "cpu", "--against", "", "--seconds", 0, "--rounds", 3]


def row(name, seconds, ratio, **changes):
    timing = seconds and Timing(seconds, 0.9 * seconds, 1.1 * seconds, 5)
    made = Row(
        "net layer <1>", "conv2d", "n=4", 4, name, False, figures.MEASURED, timing=timing,
        ratio=ratio, flops=10**9, bytes=10**6, workspace=0, error=1.0, allowed=8.0, roofline=0.5,
    )  # fmt: skip
    return replace(made, **changes)


def result(*rows, **changes):
    environment = {
        "cpu": "a CPU", "simd": "avx2", "threads": 2, "blas_threads": 2, "python": "3",
        "system": "s", "versions": {"numpy": "2"}, "date": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return Result("gpuconv bench <x>", "cpu", ROOF, list(rows), 1, 1, environment | changes)


ROWS = (
    row("numba:direct", 0.010, 1.0, is_chosen=True),
    row("numpy:im2col", 0.040, 4.0),
    row("torch NCHW", 0.005, 0.5, is_peer=True),
    row("mine & yours", None, None, state=figures.WRONG, note="<b> is wrong"),
    row("onnxruntime", None, None, is_peer=True, state=figures.ABSENT, note="the package onnx"),
)


class Nesting(HTMLParser):
    """Tags that were opened and not closed, and what pages may fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.texts = [], [], []

    def handle_starttag(self, tag, attrs):
        found = [v for name, v in attrs if name in ("src", "href", "srcset", "data")]
        self.fetched += [v for v in found if not v.startswith("#")]
        self.fetched += [tag] if tag in ("script", "link", "iframe") else []
        self.open += [] if tag in ("meta", "br") else [tag]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(text):
    found = Nesting()
    found.feed(text)
    assert found.open == []
    return found


def test_the_page_needs_nothing_else_and_is_well_formed():
    text = page(result(*ROWS))
    assert read(text).fetched == []
    assert not re.search(r"url\(|@import|https?:", text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_a_busy_machine_is_told_before_any_figure():
    text = page(result(*ROWS, busy_cores=4.3))
    assert 0 < text.find("4.3 cores were busy") < text.index("<section")
    assert "cores were busy" not in page(result(*ROWS, busy_cores=0.4)) + page(result(*ROWS))


def test_what_users_wrote_is_text():
    text = page(result(*ROWS))
    assert "<b> is wrong" not in text
    assert "wrong: &lt;b&gt; is wrong" in text
    assert "gpuconv bench &lt;x&gt;" in text


def test_slower_cells_are_marked_and_means_are_geometric():
    rows = [*ROWS, replace(ROWS[2], problem="n=5", case="other", ratio=8.0)]
    rows += [replace(ROWS[2], problem="n=6", case="third", ratio=2.0)]
    text = page(result(*rows))
    assert "<td class='slower' title='torch NCHW, 5 ms'>0.50 ▼</td>" in text
    assert "<td class='faster' title='torch NCHW, 5 ms'>8.00</td>" in text
    assert "<td class='faster'>2.00<br><small>slower in 1 of 3</small></td><td>-</td>" in text
    even = page(result(ROWS[0], replace(ROWS[2], ratio=0.998)))
    assert "<td class='' title='torch NCHW, 5 ms'>1.00</td>" in even


def test_every_row_is_on_the_page():
    """Times, errors and reasons, each in the line of its kernel."""
    text = page(result(*ROWS))
    lines = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*</tr>", text[text.index('id="every-figure"') :])
    for row in ROWS:
        (line,) = [line for line in lines if f">{escape(row.name)}" in line]
        wanted = [row.note] if row.timing is None else [names.short(1e3 * row.timing.median)]
        wanted += [] if row.timing is None else [f"<td>{row.error:g}</td><td>{row.allowed:g}</td>"]
        for words in wanted:
            assert (words if "<td>" in words else escape(words)) in line
    titles = " ".join(re.findall(r"<title>(.*?)</title>", text))
    assert all(escape(row.name) in titles for row in ROWS if row.timing)


def test_a_run_that_timed_nothing_has_a_page():
    assert "interrupted" in page(replace(result(), done=0))
    read(page(result(ROWS[3])))


# ---- history --------------------------------------------------------------------------------


def test_a_figure_is_a_line(tmp_path):
    path = history.save(result(*ROWS), tmp_path / "new")
    assert path.name == "bench-a-cpu-avx2-2-threads.jsonl"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    assert [line["name"] for line in lines] == [r.name for r in ROWS]
    first = lines[0]
    assert (first["median"], first["ratio"], first["device"]) == (0.010, 1.0, "cpu")
    assert {"date", "commit", "command", "cpu", "threads", "problem", "versions"} <= set(first)
    assert "median" not in lines[3]
    history.save(result(*ROWS), tmp_path / "new")
    assert len(history.load(path)) == 2 * len(ROWS)


@pytest.mark.parametrize(
    ("factor", "spread", "verdict"),
    [
        (1.03, 0.01, "same"),
        (1.5, 0.1, "slower"),
        (0.5, 0.1, "faster"),
        (1.08, 0.1, "within noise"),
        (1.15, 0.1, "perhaps slower"),
        (0.86, 0.1, "perhaps faster"),
    ],
)
def test_a_verdict_knows_noise(tmp_path, factor, spread, verdict):
    def spreading(seconds):
        timing = Timing(seconds, (1 - spread) * seconds, (1 + spread) * seconds, 5)
        return row("numba:direct", 1.0, 1.0, timing=timing)

    kept = history.load(history.save(result(spreading(1.0)), tmp_path))
    (change,) = history.compare([spreading(factor)], kept)
    assert (change.verdict, change.factor) == (verdict, pytest.approx(factor))


def test_the_last_run_counts_and_other_problems_do_not(tmp_path):
    history.save(result(row("a", 1.0, 1.0)), tmp_path)
    path = history.save(result(row("a", 2.0, 1.0)), tmp_path)
    now = [row("a", 2.0, 1.0), row("b", 1.0, 1.0), row("a", 1.0, 1.0, problem="n=9")]
    (change,) = history.compare(now, history.load(path))
    assert change.factor == 1.0


def test_other_surroundings_are_told(tmp_path):
    kept = history.load(history.save(result(*ROWS), tmp_path))
    now = result(*ROWS, threads=4, versions={"numpy": "3"})
    assert history.differences(now, kept) == ["threads: 2 then, 4 now", "numpy: 2 then, 3 now"]
    assert history.differences(result(*ROWS), kept) == []


@pytest.mark.parametrize("text", ["", "{}\n", "[]\n", "no\n", '{"op": 1}\n'])
def test_a_file_without_figures_is_refused(tmp_path, text):
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(errors.DataError, match=re.escape(str(path))):
        history.load(path)
    with pytest.raises(errors.DataError, match="is no file"):
        history.load(tmp_path)


# ---- the command ----------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(measure, "REST", 0)
    monkeypatch.setattr(measure, "BURST", 1e-4)
    monkeypatch.setattr("gpuconv.cli.bench.ceilings", lambda: ROOF)


def test_the_command_keeps_reports_and_compares(tmp_path):
    options = [*QUICK, "--save", "--results", tmp_path / "kept", "--html", tmp_path / "out.html"]
    lines = succeed("bench", "relu", "--shapes", "lenet", *options)
    (path,) = (tmp_path / "kept").iterdir()
    assert lines[-2:] == [f"figures: {path}", f"report: {tmp_path / 'out.html'}"]
    assert "relu1" in " ".join(read((tmp_path / "out.html").read_text()).texts)
    lines = succeed("bench", "relu", "--shapes", "lenet", *QUICK, "--compare", path)
    assert any(line.endswith("figures are as they were, or in noise") for line in lines)
    assert len(history.load(path)) == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--html", "no/such/folder/out.html"], "expected a file in a folder that is there"),
        (["--save", "--results", "setup.py"], "expected a folder, this is a file"),
        (["--compare", "nothing.jsonl"], "nothing.jsonl is no file"),
    ],
)
def test_what_cannot_be_kept_is_said_before_anything_is_timed(options, words, monkeypatch):
    monkeypatch.setattr("gpuconv.benchmarks.suite.rows", lambda *_: pytest.fail("timed"))
    assert words in fail("bench", "relu", "--shapes", "lenet", *options)
