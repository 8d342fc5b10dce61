"""README's tables of speeds are what benchmarks/results/ holds, the newest of each line."""

import json
import re

import pytest
from test_bench_report import result, row

from gpuconv import errors
from gpuconv.benchmarks import first_run, history, kept, readme
from gpuconv.benchmarks.cpu_vs_peers.nets import BASELINE, OURS

COMMAND = "python -m gpuconv.benchmarks.readme --write"


def net(work, seconds, torch=0.2):
    medians = {OURS: seconds, "torch NCHW": torch, "torch NHWC": 2 * torch, "onnxruntime": 0.3}
    return {
        "work": work,
        "seconds": {name: {"median": median} for name, median in medians.items()},
        "ratios": {n: m / seconds for n, m in medians.items() if n != OURS} | {"best torch": 9.0},
        "peak_bytes": {OURS: 3 << 20, "torch NCHW": 5 << 20, "torch NHWC": None},
    }


def keep(path, date, rows, part="nets", cpu="a CPU"):
    versions = {"numpy": "2", "numba": "1"}
    here = {"cpu": cpu, "simd": "avx2", "threads": 2, "versions": versions, "date": date}
    path.write_text(json.dumps({"machine": here, part: rows}))


def lines(text):
    return [line for line in text.splitlines() if line.startswith("| ") and "---" not in line][1:]


def test_the_readme_shows_what_is_committed():
    page = readme.README.read_text(encoding="utf-8")
    names = re.findall(r"^<!-- bench: (?!end)(.*?) -->$", page, re.MULTILINE)
    assert sorted(names) == sorted(readme.TABLES)
    assert page.count(readme.END) == len(names)
    assert readme.written(page, kept.FOLDER) == page, COMMAND


def test_the_newest_figure_counts_and_says_when_and_where(tmp_path):
    keep(tmp_path / "b.json", "2026-01-02", [net("old", 0.1), net("both", 0.1)])
    keep(tmp_path / "a.json", "2026-02-01", [net("both", 0.4)], cpu="another")
    (tmp_path / "other.json").write_text('[{"nets": 1}]')
    text = readme.nets(tmp_path)
    both, old = lines(text.replace("| work |", "| zz |"))[0], lines(text)[-1]
    assert both == (
        "| both | 400 | 200 | 0.50 ▼ | 0.75 ▼ | - | 3.00 | 5.00 | "
        "[2026-02-01](benchmarks/results/a.json) |"
    )
    assert old.startswith("| old | 100 | 200 | 2.00 | 3.00 | - |")
    assert text.count("| both |") == 1
    assert "another, avx2, 2 threads for each; numpy 2.\n" in text
    assert "Not measured yet: lenet5, training step, batch 64;" in text


def test_lines_that_bench_saves_count_too(tmp_path):
    def saved(name, seconds, ratio, **more):
        made = {"case": "lenet5", "op": "training step", "batch": 64, "suite": "nets"}
        return row(name, seconds, ratio, **(made | more))

    way = {"op": "memory of training step", "suite": "memory"}
    rows = [
        saved(OURS, 0.004, 1.0), saved("torch NHWC", 0.008, 2.0), saved(BASELINE, 0.012, 3.0),
        saved(OURS, None, 1.0, **way, peak=7 << 20), row("numba:direct", 1.0, 1.0),
    ]  # fmt: skip
    history.save(result(*rows), tmp_path)
    keep(tmp_path / "old.json", "2025-12-31", [net("lenet5, training step, batch 64", 9.0)])
    (line,) = lines(readme.nets(tmp_path))
    assert line.startswith(
        "| lenet5, training step, batch 64 | 4.00 | 8.00 | 2.00 | - | 3.00 | 7.00"
    )
    assert "[2026-01-01](benchmarks/results/bench-a-cpu" in line


def test_a_training_run_has_its_line(tmp_path, monkeypatch):
    seconds = iter([14.2, 8.46])
    told = {"model": {"name": "lenet5"}, "images": 9000}
    final = {"test_images": 1000, "test_accuracy": 0.983}
    monkeypatch.setattr(
        first_run, "_run", lambda *_: {**told, "final": final, "seconds": next(seconds)}
    )
    keep(tmp_path / "a.json", "2026-01-01", [first_run.row(["--epochs", "2"])], part="runs")
    (line,) = lines(readme.runs(tmp_path))
    start = (
        "| `lenet5` | 61,706 | 9,000 / 1,000 | `gpuconv train --epochs 2` | 0.9830 | 8.5 s; 14 s"
    )
    assert line.startswith(start)


def test_only_what_stands_between_markers_is_written(tmp_path):
    keep(tmp_path / "a.json", "2026-01-01", [net("x", 0.1)])
    page = "before\n<!-- bench: nets -->\nold\n<!-- bench: end -->\nafter\n"
    text = readme.written(page, tmp_path)
    assert "| x | 100 |" in text
    assert "old" not in text
    assert text.startswith("before\n<!-- bench: nets -->\n\n| work")
    assert text.endswith("\n<!-- bench: end -->\nafter\n")
    assert readme.written(text, tmp_path) == text


def test_broken_files_and_unknown_tables_are_named(tmp_path):
    with pytest.raises(errors.DataError, match="no table is named 'nts'; there are nets, runs"):
        readme.written("<!-- bench: nts -->\n<!-- bench: end -->\n", tmp_path)
    keep(tmp_path / "a.json", "2026-01-01", [{"work": "x"}])
    with pytest.raises(errors.DataError, match="a.json: no figures"):
        readme.nets(tmp_path)
