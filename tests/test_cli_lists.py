"""Commands that only tell: summary, kernels, models, and the help of every command."""

import pytest
import typer.main
from command_line import run, succeed

import gpuconv as gcv
from gpuconv import device, registry
from gpuconv.cli import app

COMMANDS = sorted(typer.main.get_command(app).commands)


@pytest.mark.parametrize("name", sorted(gcv.models.models()))
def test_summary_shows_layers_and_totals(name):
    lines = succeed("summary", name)
    net = gcv.models.create(name)
    made = net.summary(net.input_shape)
    assert [line.split()[1] for line in lines if line.startswith("│")] == [
        *(row.name for row in made.rows),
        "total",
    ]
    assert lines[-1].startswith(f"{made.parameters:,} parameters (")
    assert f"{made.flops / 1e9:.3f} GFLOP forward" in lines[-1]


def test_summary_for_other_classes_and_batches():
    lines = succeed("summary", "lenet5", "--num-classes", 3, "--batch-size", 16)
    assert any("(16, 3)" in line for line in lines)
    assert lines[-1].startswith("61,111 parameters")
    assert lines[-1].endswith("kept for backward at batch 16")


def test_kernels_lists_the_registry():
    lines = succeed("kernels")
    rows = [line.strip("│ ").split() for line in lines if line.startswith("│")]
    expected = [(op, k.name) for op in registry.ops() for k in registry.get_op(op).kernels()]
    assert [(row[0], row[2]) for row in rows] == expected
    assert f"device: {device.auto()[1]}" in lines


def test_kernels_of_one_op_in_the_order_they_are_tried():
    rows = [line.strip("│ ").split() for line in succeed("kernels", "conv2d") if line[0] == "│"]
    assert {row[0] for row in rows} == {"conv2d"}
    assert [row[2] for row in rows] == [k.name for k in registry.get_op("conv2d").kernels()]
    assert len(rows) >= 2


def test_models_lists_every_model():
    lines = succeed("models")
    for name, entry in gcv.models.models().items():
        (row,) = [line for line in lines if line.startswith(f"│ {name} ")]
        assert entry.summary in row
        assert entry.source in row
    (row,) = [line for line in lines if line.startswith("│ resnet18 ")]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells[1:5] == ["3x224x224", "1000", "11,689,512", "3.63"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does(command):
    first = typer.main.get_command(app).commands[command].help.split("\n")[0]
    assert first.endswith(".")
    lines = succeed(command, "--help")
    assert first in " ".join(" ".join(lines).split())
    assert run(command, "-h").stdout.splitlines() == lines


def test_help_names_every_command():
    text = " ".join(succeed("--help"))
    assert all(f" {command} " in text for command in COMMANDS)
    assert "Start with: gpuconv train" in text
    assert {"train", "eval", "predict", "summary", "kernels", "models"} <= set(COMMANDS)
