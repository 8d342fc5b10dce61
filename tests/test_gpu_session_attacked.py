"""benchmarks/gpu_session: killed, resumed, given folders and files of no use."""

import subprocess
import sys
import time

import pytest

from gpuconv import device
from gpuconv.benchmarks.gpu_session import __main__ as command
from gpuconv.benchmarks.gpu_session import machine, progress, worker
from gpuconv.benchmarks.gpu_session.items import Item, Session
from gpuconv.cuda.libcuda import Gpu


@pytest.fixture
def session(tmp_path):
    return Session(device.EMULATED, tmp_path, "emulated")


def run(monkeypatch, session, *items, left=60.0, length=100.0):
    monkeypatch.setattr(worker, "items", lambda session: items)
    assert worker.work(session, time.time() + left, length) == worker.FINISHED
    return progress.read(session.rows)


def begin(session):
    progress.begin(session.rows, "a", "x", 120.0, process=1)


def test_what_a_killed_session_was_at_is_done_by_the_next(monkeypatch, session):
    begin(session)
    progress.settle(session.rows)
    rows = run(monkeypatch, session, Item("a", "x", lambda: {"value": 1}))
    assert rows["a", "x"]["result"] == {"value": 1}


def test_what_ended_two_sessions_is_an_error(monkeypatch, session):
    for _ in range(2):
        begin(session)
        progress.settle(session.rows)
    rows = run(monkeypatch, session, Item("a", "x", dict))
    assert rows["a", "x"]["error"] == "2 sessions ended in it"


def test_what_was_cut_off_by_the_clock_stays_open(monkeypatch, session):
    monkeypatch.setattr(worker, "items", lambda session: [Item("a", "x", dict)])
    for _ in range(3):
        begin(session)
        worker.late(session)
        progress.settle(session.rows)
    assert progress.state(progress.read(session.rows)["a", "x"]) == "open"


def test_another_process_row_is_not_taken_for_the_workers(monkeypatch, session):
    """It would be killed for what an earlier worker was at."""
    progress.append(session.rows, step="a", key="x", begun=0.0, limit=1.0, process=1)
    started = subprocess.Popen
    command_line = [sys.executable, "-c", "import time; time.sleep(1.5)"]
    monkeypatch.setattr(command.subprocess, "Popen", lambda _, **o: started(command_line, **o))
    wanted = command.arguments(["--out", str(session.out), "--device", "emulated"])
    assert command._supervised(session, wanted, time.time() + 60) == 0


def test_a_row_behind_a_half_written_one_is_kept(session):
    session.rows.write_text('{"step": "a", "key": "y", "resu')
    progress.append(session.rows, step="a", key="x", result={})
    progress.append(session.rows, step="a", key="z", result={})
    assert list(progress.read(session.rows)) == [("a", "x"), ("a", "z")]


@pytest.mark.parametrize(
    "line", [b"null", b"3", b'["step"]', b'{"step": [], "key": "k"}', b"\xff\xfe\0", b"[" * 99_999]
)
def test_what_is_no_row_is_left_out(session, line):
    progress.append(session.rows, step="a", key="x", result={})
    with session.rows.open("ab") as file:
        file.write(line + b"\n")
    assert list(progress.read(session.rows)) == [("a", "x")]


def test_a_result_that_json_does_not_know_is_written_as_text(session):
    progress.append(session.rows, step="a", key="x", result={"at": session.out}, error="e" * 9999)
    row = progress.read(session.rows)["a", "x"]
    assert row["result"] == {"at": str(session.out)}
    assert len(row["error"]) == progress.LONGEST


def test_a_long_item_is_begun_where_it_fits_and_short_ones_go_on(monkeypatch, session):
    long, short = Item("a", "long", dict, limit=200.0), Item("a", "short", dict)
    rows = run(monkeypatch, session, long, short, left=60, length=500)
    assert [progress.state(rows["a", k]) for k in ("long", "short")] == ["open", "done"]
    rows = run(monkeypatch, session, long, short, left=300, length=500)
    assert progress.state(rows["a", "long"]) == "done"


def test_a_long_item_that_fits_no_session_is_tried(monkeypatch, session):
    rows = run(monkeypatch, session, Item("a", "x", dict, limit=200.0), left=60, length=60)
    assert rows["a", "x"]["result"] == {}


def test_what_a_machine_forgets_is_done_by_every_session_with_work(monkeypatch, session):
    calls = []
    items = [Item("a", "build", lambda: calls.append(1) or {}, always=True), Item("a", "x", dict)]
    run(monkeypatch, session, *items)
    run(monkeypatch, session, *items, left=0.5, length=0.0)  # nothing is open: nothing to build for
    assert len(calls) == 1
    more = [*items, Item("a", "y", dict), Item("a", "z", dict)]
    run(monkeypatch, session, *more[:3], left=60, length=60 - 1e-3)
    run(monkeypatch, session, *more, left=60, length=600)  # the same session: built already
    assert len(calls) == 2


ORPHAN = """
import os, subprocess, sys
code = ("import os, sys, time\\n"
        "from gpuconv.benchmarks.gpu_session.worker import end_with\\n"
        "end_with(os.getppid())\\nprint('watching', flush=True)\\ntime.sleep(600)")
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                         start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
os._exit(0)
"""


def test_a_worker_ends_with_the_one_that_watches_it():
    done = subprocess.run([sys.executable, "-c", ORPHAN], check=True, capture_output=True)
    orphan, begin = int(done.stdout), time.monotonic()
    while _alive(orphan):
        assert time.monotonic() < begin + 30, "the worker goes on alone"
        time.sleep(0.1)


def _alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def main(*given, minutes="0"):
    return command.main([*map(str, given), "--device", "emulated", "--minutes", minutes])


def test_a_session_begins_with_what_the_last_one_left_begun(session):
    begin(session)
    assert main("--out", session.out) == 0
    assert progress.read(session.rows)["a", "x"]["interrupted"] == 1


def test_two_sessions_do_not_write_into_one_file(session, capsys):
    with progress.locked(session.rows):
        assert main("--out", session.out) == 2
    assert "another session writes to it" in capsys.readouterr().err
    assert main("--out", session.out) == 0


@pytest.mark.parametrize("below", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_said_in_a_line(tmp_path, capsys, below):
    (tmp_path / "file").write_text("")
    assert main("--out", tmp_path / below) == 2
    assert capsys.readouterr().err.startswith("gpu_session: [Errno ")


def test_a_full_disk_ends_it_in_a_line(tmp_path, monkeypatch, capsys):
    def full(*args, **row):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress, "settle", full)
    assert main("--out", tmp_path) == 2
    assert capsys.readouterr().err == "gpu_session: [Errno 28] No space left on device\n"


def test_nothing_to_resume_is_no_new_beginning(tmp_path, capsys):
    assert main("--out", tmp_path / "out", "--resume", tmp_path / "tpyo") == 2
    assert "no session has left a file of rows there" in capsys.readouterr().err


def test_another_gpus_rows_are_not_resumed(tmp_path, capsys):
    for name in ("other-gpu.jsonl", "emulated-2.jsonl"):
        (tmp_path / name).write_text("")
    assert main("--out", tmp_path / "out", "--resume", tmp_path) == 0
    assert "emulated-2.jsonl, other-gpu.jsonl and no emulated.jsonl" in capsys.readouterr().out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "emulated.jsonl",
        "emulated-summary.md",
    }


@pytest.mark.parametrize("minutes", ["nan", "-1", "inf", "soon"])
def test_no_length_of_time(tmp_path, minutes):
    with pytest.raises(SystemExit) as ended:
        main("--out", tmp_path / "out", minutes=minutes)
    assert ended.value.code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3"),
        ("../é/\n*", "gpu"),
        ("A" * 999, "a" * 80),
    ],
)
def test_a_gpus_name_names_files(monkeypatch, name, stem):
    monkeypatch.setattr(machine.cuda, "gpu", lambda: Gpu(name, 90, 1))
    assert machine.stem(device.CUDA) == stem
