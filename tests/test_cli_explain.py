"""gpuconv explain: what it prints and writes, and what it answers to what is wrong."""

import json
import re

import pytest
from command_line import fail, succeed

from gpuconv import models, registry
from gpuconv.training.planned import calls

SHAPE = "n=2,c=3,h=9,w=9,k=4,r=3,s=3"


@pytest.fixture
def relu(monkeypatch):
    """The op, its kernels as they were afterwards."""
    op = registry.get_op("relu")
    op.kernels()
    monkeypatch.setattr(op, "_kernels", list(op._kernels))
    yield op
    registry._CHOSEN.clear()


def rows(lines):
    return [[cell.strip() for cell in line[1:-1].split("│")] for line in lines if "│" in line]


def test_the_command_shows_every_call_and_what_they_take_together():
    lines = succeed("explain", "lenet5", "--device", "cpu", "--train")
    assert lines[0] == "lenet5, training step, batch 64, on cpu"
    table = rows(lines)
    assert ["conv1", "forward", "conv2d"] in [row[:3] for row in table]
    assert any(row[2].startswith("* numba:direct") for row in table if len(row) > 5)
    assert any("takes NCHW, not NCHWc" in row[-1] for row in table)
    total = next(row for row in table if row[0] == "together")
    assert int(total[2]) == len(calls(models.create("lenet5"), (2, 1, 28, 28), train=True))
    short = rows(succeed("explain", "lenet5", "--device", "cpu", "--train", "--brief"))
    assert len(short) < len(table)


def test_json_holds_every_figure_and_a_gpus_launches():
    found = json.loads("\n".join(succeed("explain", "lenet", "--device", "sm_90", "--json")))
    assert (found["device"], found["arch"]) == ("cuda", "sm_90a")
    line = found["lines"][0]
    assert (line["layers"], line["pass"], line["op"]) == (["conv1"], "forward", "conv2d")
    chosen = line["candidates"][0]
    assert chosen["chosen"] is True
    assert chosen["predicted"] > 0
    assert chosen["measured"] is None
    (launch,) = chosen["launches"]
    assert launch["registers"] > 0
    assert launch["blocks on a multiprocessor"] > 0
    assert re.search(r"conv2d/cuda_\w+\.cu", launch["source"])


def test_limits_say_what_they_rule_out():
    lines = succeed("explain", SHAPE, "--device", "cpu", "--max-error", 0)
    assert any("over max_error=0.0e+00" in line for line in lines)
    hint = next(line for line in lines if "without max_error=0" in line)
    assert "numba:direct" in hint
    assert any("no kernel takes conv2d" in line for line in lines)


def test_shapes_are_explained_on_plain_arrays_and_in_a_net():
    table = rows(succeed("explain", SHAPE, "--device", "cpu", "--train"))
    heads = [row for row in table if row[0]]
    assert [row[2] for row in heads if row[0] == "arrays"] == [
        "conv2d", "conv2d_input", "conv2d_weight",
    ]  # fmt: skip
    assert sum(row[0] == "arrays, in a net" for row in heads) == 3
    assert not any(row[0] == "together" for row in table)  # two ways to do the same


def test_a_kernel_of_ones_own_is_explained(relu, tmp_path):
    file = tmp_path / "mine_explained.py"
    file.write_text(
        "from gpuconv.kernels.relu.op import relu\n"
        "@relu.kernel('mine', backend='numpy', refuses=lambda p, d: 'is only a test')\n"
        "def mine(outs, ins, problem, work): ...\n"
    )
    options = ["--train", "--op", "relu_backward", "--op", "relu", "--device", "cpu"]
    lines = succeed("explain", "resnet20", *options, "--with", file)
    assert any("numpy:mine" in line and "is only a test" in line for line in lines)


def test_the_page_needs_no_other(tmp_path):
    file = tmp_path / "page.html"
    lines = succeed("explain", "lenet5", "--device", "cpu", "--train", "--brief", "--html", file)
    assert lines[-1] == f"picture: {file}"
    text = file.read_text()
    assert text.count("<svg") == 2
    assert "conv1 forward: conv2d, numba:direct" in text
    bars = re.findall(r'text-anchor="end">([a-z]+[0-9]?)<', text)
    assert bars[:4] == ["conv1", "pool1", "conv2", "pool2"]  # in the order of the net
    assert not re.search(r"(src|href)=|@import|url\(", text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["alexnt"], ["explain: unknown shapes 'alexnt'", "did you mean alexnet?"]),
        (["n=1,c=3"], ["conv2d n=1,c=3", "expected numbers"]),
        (["n=1,q=3"], ["unknown size of conv2d 'q'"]),
        (["lenet5", "--op", "conv3d"], ["unknown op 'conv3d'; did you mean conv2d?"]),
        (["lenet5", "--op", "lrn"], ["lenet5 has no lrn; it has conv2d"]),
        (["lenet5", "--device", "sm_91"], ["unknown device 'sm_91'", "did you mean sm_", "sm_90a"]),
        (["lenet5", "--precision", "fp8"], ["unknown precision 'fp8'"]),
        (["lenet5", "--algorithm", "conv2d=fast", "--device", "cpu"], ["no such kernel on cpu"]),
        (["lenet5", "--batch-size", 10**15], ["out of memory on cpu", "use a smaller batch"]),
        (["lenet5", "--html", "nowhere/page.html"], ["a folder that is there"]),
        (["lenet5", "--with", "nothing.py"], ["explain: nothing.py is no Python file"]),
    ],
)
def test_what_is_wrong_is_answered_with_what_there_is(arguments, words):
    said = fail("explain", *arguments)
    assert all(word in said for word in words), said
