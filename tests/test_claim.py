"""Two processes on one run folder: the second is refused, and the first goes on."""

import os
import signal
import subprocess
import sys

import pytest
from command_line import QUICK, contents, environment, fail, succeed
from test_data import some, write_idx

from gpuconv.errors import RunError
from gpuconv.training import claim
from gpuconv.training.claim import LOCK, claimed, holder

HOLD = """
import sys
from gpuconv.training.claim import claimed
with claimed(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that has claimed the folder."""
    line = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, env=environment(), **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_has_the_folder_is_named_and_a_kill_lets_go_of_it(tmp_path, other):
    assert holder(tmp_path) == other.pid
    with pytest.raises(RunError, match=rf"process {other.pid} works in this run folder"):
        claimed(tmp_path).__enter__()
    assert (tmp_path / LOCK).read_text() == f"{other.pid}\n"
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder(tmp_path) is None
    assert (tmp_path / LOCK).exists()
    with claimed(tmp_path):
        assert holder(tmp_path) == os.getpid()
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_to_is_said_so(tmp_path):
    with pytest.raises(RunError, match=r"run.lock: cannot be written"):
        claimed(tmp_path / "missing").__enter__()


def test_a_lock_whose_file_was_removed_meanwhile_is_not_taken(tmp_path, monkeypatch):
    """Between open and lock the last owner may remove the file: the lock would be nobody's."""
    locked, removed = claim._locked, []

    def late(descriptor, **options):
        if not removed:
            removed.append((tmp_path / LOCK).unlink())
        return locked(descriptor, **options)

    monkeypatch.setattr(claim, "_locked", late)
    with claimed(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def test_a_run_that_another_process_works_on_is_not_resumed(tmp_path):
    data, folder = tmp_path / "letters", tmp_path / "run"
    data.mkdir()
    for split in ("train", "t10k"):
        write_idx(data, split, *some(12))
    succeed("train", "--data", data, *QUICK, "--batch-size", 4, "--out", folder)
    text = (folder / "run.json").read_text()
    assert LOCK not in contents(folder)
    (folder / "run.json").write_text(text.replace('"status": "done"', '"status": "running"'))
    with claimed(folder):
        before = contents(folder)
        line = fail("train", "--resume", folder)
        assert f"process {os.getpid()} works in this run folder" in line
        assert contents(folder) == before
    succeed("train", "--resume", folder)
    assert LOCK not in contents(folder)
