"""Pictures of runs: what is drawn is there, and what is missing is said."""

import numpy as np
import pytest
from PIL import Image

import gpuconv as gcv
from gpuconv.data import ArrayDataset
from gpuconv.errors import RunError
from gpuconv.layers import Conv2d, Flatten, Linear
from gpuconv.training.checkpoint import Run
from gpuconv.training.evaluate import loader
from gpuconv.viz import overview as viz


@pytest.fixture
def run(tmp_path):
    net = gcv.models.create("lenet5")
    entry = {"name": "lenet5", "num_classes": 10, "dropout": 0.0, "input_shape": (1, 28, 28)}
    entry |= {"mean": net.mean, "std": net.std}
    made = Run.create(
        tmp_path / "run", {"model": entry, "classes": list("0123456789"), "data": "mnist"}
    )
    for step in range(1, 61):
        made.log({"step": step, "epoch": 1, "loss": 2.3 / step})
    made.log({"step": 60, "epoch": 1, "test_loss": 0.1, "test_accuracy": 0.5})
    made.save(net)
    return made


def test_overview_draws_a_picture(run, tmp_path):
    viz.overview(run.folder, tmp_path / "picture.png")
    pixels = np.asarray(Image.open(tmp_path / "picture.png").convert("L"))
    assert pixels.shape == (594, 1320)
    quarters = [pixels[y : y + 297, x : x + 660] for y in (0, 297) for x in (0, 660)]
    assert min(q.std() for q in quarters) > 10  # no part of it is blank


def test_losses_are_the_steps_only(run):
    steps, values = viz.losses(run)
    assert steps == list(range(1, 61))
    assert values[1] == pytest.approx(1.15)


def test_mistakes_are_those_of_the_net():
    net = gcv.Sequential(Flatten(), Linear(4, 2, bias=False))
    net[1].weight.value = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], np.float32)
    net.input_shape, net.mean, net.std = (1, 2, 2), (0.0,), (1.0,)
    images = np.zeros((3, 2, 2, 1), np.uint8)
    images[[0, 1, 2], 0, [0, 1, 0], 0] = 255  # the net says 0, 1, 0
    data = ArrayDataset("three", images, np.array([0, 0, 1]), ["a", "b"])
    wrong, labels, guesses = viz.mistakes(net, loader(net, data, 2))
    assert labels.tolist() == [0, 1]
    assert guesses.tolist() == [1, 0]
    assert wrong[:, 0, 0].tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_first_convolution_is_found_in_nested_nets():
    conv = Conv2d(1, 2, 3)
    assert viz.first_convolution(gcv.Sequential(gcv.Sequential(conv), Flatten())) is conv
    assert viz.first_convolution(gcv.Sequential(Flatten())) is None


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"no run here"):
        viz.overview(tmp_path, tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


def test_metrics_that_cannot_be_read(run):
    (run.folder / "metrics.jsonl").write_text("{not json\n")
    with pytest.raises(RunError, match=r"metrics.jsonl: cannot be read"):
        viz.losses(run)
