"""The examples run and do what they say."""

import runpy

import pytest
from house_rules import ROOT


def load(name):
    return runpy.run_path(str(ROOT / "examples" / name))


def test_every_example_is_run_here():
    found = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert found == {"inspect_step.py", "residual_digits.py"}


def test_inspect_step(capsys):
    assert load("inspect_step.py")["main"]() > 0
    assert "conv1.weight" in capsys.readouterr().out


@pytest.mark.slow
def test_residual_digits(capsys):
    assert load("residual_digits.py")["main"](epochs=2) > 0.85
    assert "epoch 1" in capsys.readouterr().out
