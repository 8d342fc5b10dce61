"""benchmarks/gpu_session: every kernel and step has a row, whatever happens on the way."""

import subprocess
import sys
import time

import pytest
from house_rules import ROOT, Module

from gpuconv import device, registry
from gpuconv.benchmarks import gpu_session, workloads
from gpuconv.benchmarks.gpu_session import __main__ as command
from gpuconv.benchmarks.gpu_session import progress, report, steps, worker
from gpuconv.benchmarks.gpu_session.items import Item, Session, Unavailable

PACKAGES = [
    line
    for line in (ROOT / "tests" / "gpu_machine_packages.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.fixture
def session(tmp_path):
    return Session(device.EMULATED, tmp_path, "emulated")


def fails():
    raise RuntimeError("broken")


def unavailable():
    raise Unavailable("not here")


def lost():
    kind = type("CUDARuntimeError", (RuntimeError,), {})
    raise RuntimeError("while copying") from kind("illegal address")


def run(monkeypatch, session, *items, deadline=None):
    monkeypatch.setattr(worker, "items", lambda session: items)
    return worker.work(session, time.time() + 60 if deadline is None else deadline)


def test_every_item_gets_a_row(monkeypatch, session):
    items = (
        Item("a", "good", lambda: {"value": 1}),
        Item("a", "bad", fails),
        Item("b", "none", unavailable),
    )
    assert run(monkeypatch, session, *items) == worker.FINISHED
    rows = progress.read(session.rows)
    assert rows["a", "good"]["result"] == {"value": 1}
    assert rows["a", "bad"]["error"] == "RuntimeError: broken"
    assert "fails" in rows["a", "bad"]["trace"]
    assert rows["b", "none"]["reason"] == "not here"
    assert all(row["seconds"] >= 0 for row in rows.values())


def test_what_is_done_is_not_done_again_and_what_was_late_is(monkeypatch, session):
    calls = []
    item = Item("a", "x", lambda: calls.append(1) or {})
    run(monkeypatch, session, item, deadline=0)
    assert progress.read(session.rows)["a", "x"]["reason"] == progress.LATER
    assert not calls
    run(monkeypatch, session, item)
    run(monkeypatch, session, item)
    assert calls == [1]


def test_a_lost_gpu_asks_for_a_new_process(monkeypatch, session):
    after = Item("a", "after", dict)
    assert run(monkeypatch, session, Item("a", "lost", lost), after) == worker.AGAIN
    assert ("a", "after") not in progress.read(session.rows)
    assert run(monkeypatch, session, Item("a", "lost", lost), after) == worker.FINISHED
    assert progress.read(session.rows)["a", "after"]["result"] == {}


def test_a_half_written_row_is_none(session):
    progress.append(session.rows, step="a", key="x", result={})
    with session.rows.open("a") as file:
        file.write('{"step": "a", "key": "y", "resu')
    assert list(progress.read(session.rows)) == [("a", "x")]


def supervised(monkeypatch, session, script, deadline=60.0):
    """Run ``script`` in place of the worker; it gets the path of the rows."""
    started = subprocess.Popen

    def popen(_, **options):
        return started([sys.executable, "-c", script, str(session.rows)], **options)

    monkeypatch.setattr(command.subprocess, "Popen", popen)
    wanted = command.arguments(["--out", str(session.out), "--device", "emulated"])
    return command._supervised(session, wanted, time.time() + deadline)


BEGIN = """
import json, os, sys, time
row = dict(step="a", key="x", begun=time.time(), limit={limit}, process=os.getpid())
open(sys.argv[1], "a").write(json.dumps(row) + "\\n")
"""


def test_an_item_that_kills_its_process_is_an_error(monkeypatch, session):
    script = BEGIN.format(limit=60) + "sys.exit(9)"
    assert supervised(monkeypatch, session, script) == worker.AGAIN
    assert progress.read(session.rows)["a", "x"]["error"] == "the process ended with 9"


def test_an_item_that_hangs_is_killed(monkeypatch, session):
    script = BEGIN.format(limit=0.1) + "time.sleep(600)"
    assert supervised(monkeypatch, session, script) == worker.AGAIN
    assert "took longer than" in progress.read(session.rows)["a", "x"]["error"]


def test_a_session_ends_in_time_though_an_item_does_not(monkeypatch, session):
    monkeypatch.setattr(command, "RESERVE", 1.0)
    monkeypatch.setattr(worker, "items", lambda session: [Item("a", n, dict) for n in "xy"])
    script = BEGIN.format(limit=600) + "time.sleep(600)"
    assert supervised(monkeypatch, session, script, deadline=0.0) == 0
    rows = progress.read(session.rows)
    assert [row["reason"] for row in rows.values()] == [progress.LATER] * 2


def test_without_time_every_kernel_and_step_still_has_a_row(tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert command.main(["--out", str(first), "--device", "emulated", "--minutes", "0"]) == 0
    rows = progress.read(first / "emulated.jsonl")
    assert {row["reason"] for row in rows.values()} == {progress.LATER}
    kernels = {
        f"{op.name} {kernel.name}"
        for op in registry.ops().values()
        for kernel in op.kernels()
        if "emulated" in kernel.devices
    }
    assert {key for step, key in rows if step == "battery"} == kernels
    assert {step for step, _ in rows} >= {"environment", "ceilings", "compile", "tests", "training"}
    progress.append(first / "emulated.jsonl", step="z", key="z", result={})
    again = ["--out", str(second), "--device", "emulated", "--minutes", "0", "--resume", str(first)]
    command.main(again)
    assert ("z", "z") in progress.read(second / "emulated.jsonl")
    assert "| battery | 0 | 0 | 0 |" in capsys.readouterr().out


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_rehearsal_has_a_result_or_a_reason_for_everything(tmp_path):
    code = command.main(["--out", str(tmp_path), "--device", "emulated", "--minutes", "6"])
    rows = progress.read(tmp_path / "emulated.jsonl")
    assert not [row for row in rows.values() if "error" in row]
    assert code == 0
    assert all("result" in row or "reason" in row for row in rows.values())
    assert rows["training", "lenet5 losses"]["result"]["worst"] <= 1e-5
    made = list(tmp_path.iterdir())
    assert len(made) <= 6
    assert all(path.stat().st_size < 10 << 20 for path in made)


def test_no_device_is_said_and_nothing_is_written(tmp_path, capsys):
    if command.devices.get("auto").kind == "cuda":
        pytest.skip("there is a GPU")
    out = tmp_path / "out"
    assert command.main(["--out", str(out)]) == 2
    assert "device 'cuda' is not available" in capsys.readouterr().err
    assert not out.exists()


def test_the_report_shows_failures_and_shares_of_the_roofline():
    shown = Session(device.CUDA, ROOT, "some-gpu")
    row = {"seconds": 2e-3, "flops": 2e9, "bytes": 1e6, "workspace": 3e6, "error": 0.5}
    rows = {
        ("ceilings", "copy"): {"result": {"bytes_per_second": 1e12}},
        ("ceilings", "matmul fp32"): {"result": {"flops_per_second": 4e12}},
        ("speed", "net conv2d cuda:direct"): {"result": row},
        ("battery", "relu cuda:direct"): {"error": "BatteryError: wrong\nand more"},
        ("training", "net step"): {"result": {"seconds": 0.5, "batch": 64}},
    }
    text = report.text(shown, rows)
    assert "- battery: relu cuda:direct: BatteryError: wrong\n" in text
    assert "| net conv2d cuda:direct | 2.000 | 25% | 3.0 | 0.50 |" in text
    assert "| net step | 500.00 | 128 |" in text


def test_workloads_fit_their_ops_and_shrink():
    for work in workloads.workloads():
        op = registry.get_op(work.op)
        assert isinstance(work.problem, op.problem)
        small = workloads.shrunk(work)
        assert 0 < op.bytes(small.problem) < 1 << 20
        assert op.flops(small.problem) < 10_000_000


def test_a_session_imports_only_what_a_gpu_machine_has():
    loaded = {
        m.__name__: m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", "")
    }
    assert steps.__name__ in loaded
    registry.ops()
    for op in registry.ops().values():
        op.kernels()
    found = set()
    for name, file in loaded.items():
        if name.split(".")[0] == "gpuconv" and file.startswith(str(ROOT)):
            for _, imported in Module(type(ROOT)(file), ROOT).imports():
                found.add(imported.split(".")[0])
    outside = found - set(sys.stdlib_module_names) - {"gpuconv", *PACKAGES}
    assert not outside
    assert {"torch", "numpy"} <= found
    assert gpu_session.__doc__
