"""The peers of gpuconv bench: who takes part where, and whether they compute the same."""

import io
import json
import sys

import numpy as np
import pytest

from gpuconv import device, registry
from gpuconv.benchmarks import (
    cases,
    contest,
    figures,
    guests,
    onnx_ops,
    peers,
    torch_ops,
    values,
)
from gpuconv.benchmarks.cpu_vs_peers.ceilings import Ceilings
from gpuconv.kernels.elementwise import ElementwiseProblem

CPU, ROOF = device.CPU, Ceilings(1e11, 1e10)


def case():
    return cases.Case("net", ("layer",), "relu", ElementwiseProblem((2, 3, 4, 5)))


def rows(one, contestants):
    found = contest.rows(one, contestants, ROOF, CPU, seconds=0, rounds=3)
    return {row.name: row for row in found}


def test_a_peer_that_is_not_installed_is_a_row(monkeypatch):
    monkeypatch.setitem(guests.PACKAGES, "torch", ("no_such_package",))
    with guests.guests(["torch"], 1) as present:
        (row,) = rows(case(), present).values()
    assert (row.state, row.note) == ("not installed", "the package no_such_package")


@pytest.mark.parametrize(
    ("library", "kind", "state", "word"),
    [
        ("cudnn", "cpu", "no GPU", "--device cuda"),
        ("torch", "cuda", "refuses", "computes on the CPU"),
        ("onnxruntime", "cuda", "refuses", "--against cudnn"),
    ],
)
def test_cpu_peers_and_gpu_kernels_never_stand_side_by_side(library, kind, state, word):
    why = guests.absent(library, device.Device(kind))
    assert why.state == state
    assert word in str(why)


def test_a_peer_that_has_no_gpu_is_a_row(monkeypatch):
    with guests.guests(["cudnn"], 1) as present:
        (row,) = rows(case(), guests.invited(present, "relu")).values()
    assert (row.name, row.state, row.timing) == ("cudnn", "no GPU", None)


def test_ways_that_make_no_difference_are_left_out():
    ways = ("fp32 NCHW", "fp32 NHWC", "tf32 NCHW", "tf32 NHWC")
    found = [guests.Guest("cudnn", way, None, None) for way in ways]
    assert [g.way for g in guests.invited(found, "conv2d")] == list(ways)
    assert [g.way for g in guests.invited(found, "relu")] == ["fp32 NCHW"]
    assert [g.way for g in guests.invited(found, "max_pool2d")] == ["fp32 NCHW", "fp32 NHWC"]


def test_a_child_answers_in_lines(monkeypatch, tmp_path):
    relu_problem = case().problem
    monkeypatch.setattr(guests, "_made", lambda *_: [lambda: np.ones((2, 3, 4, 5), "f4")] * 2)
    out = tmp_path / "outs.npz"
    wanted = {"op": "relu", "problem": vars(relu_problem), "way": "NCHW", "out": str(out)}
    asked = [json.dumps(wanted), json.dumps(["NCHW", 3]), json.dumps({**wanted, "op": "nothing"})]
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(asked) + "\n"))
    monkeypatch.setattr(sys, "stdout", said)
    guests.main("torch", "1")
    ready, seconds, failed = said.getvalue().splitlines()
    assert json.loads(ready) == {}
    assert float(seconds) >= 0
    assert json.loads(failed)["state"] == "failed"
    assert np.load(out)["arr_0"].shape == (2, 3, 4, 5)


def test_a_problem_reaches_the_child_as_it_is():
    for op in registry.ops().values():
        for problem in op.cases():
            sent = json.loads(json.dumps(vars(problem)))
            assert str(guests._problem(op.name, sent)) == str(problem)  # NaN is not itself


class Peer:
    """PyTorch or onnxruntime in this process, to be checked as a contestant is."""

    is_peer, allowed = True, contest.PEERS_ERROR

    def __init__(self, library, way):
        self.name, self.library, self.way = library, library, way

    def prepare(self, one, arrays):
        call, rival = guests._made(self.library, 1, one.op, one.problem, self.way)
        outs = call()
        several = outs if isinstance(outs, tuple | list) else (outs,)
        plain = [o if isinstance(o, np.ndarray) else peers.to_array(o) for o in several]
        return plain, rival, None


WAYS = [("torch", "NCHW"), ("torch", "NHWC"), ("onnxruntime", "")]


@pytest.mark.parametrize(("library", "way"), WAYS)
def test_every_counterpart_computes_what_the_op_says(library, way):
    for package in guests.PACKAGES[library]:
        pytest.importorskip(package, reason="peers are not of the test extra")
    states = {}
    for op in registry.ops().values():
        for problem in op.cases():
            if 0 not in {size for shape in problem.shapes().values() for size in shape}:
                one = cases.Case("net", ("layer",), op.name, problem)
                arrays = values.values(op, problem)
                truth = values.truth(op, problem, arrays)
                row, _ = contest.check(one, Peer(library, way), arrays, truth)
                assert row.state != figures.WRONG, (op.name, row)
                states.setdefault(op.name, set()).add(row.state)
    known = torch_ops.CALLS if library == "torch" else onnx_ops.NODES
    assert {name for name, found in states.items() if figures.MEASURED in found} == set(known)
