"""A recipe, weights from elsewhere and a plan at once: trained, resumed, measured, asked."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from command_line import fail, run, succeed
from test_data_images import fill

import gpuconv as gcv
from gpuconv import models, ops, plans
from gpuconv.cli._session import Session
from gpuconv.cli.train import INTERRUPTED
from gpuconv.data import Preprocessing, TenCrop
from gpuconv.data.images import decode
from gpuconv.data.preprocessing import KEY
from gpuconv.device import CPU
from gpuconv.errors import DataError, OptionError
from gpuconv.plans import Entry, Plan
from gpuconv.training.checkpoint import PLAN, WEIGHTS
from gpuconv.weights import response
from gpuconv.weights.response import ResponseNorm

MEAN, STD, SIDE = (0.1, 0.2, 0.3), (0.5, 0.25, 0.125), 28
THEIRS = Preprocessing((3, 24, 24), MEAN, STD, "BGR", 30, ("cat", "dog"))
NORM = ResponseNorm(3, 0.5, 0.5, 2.0, "element")
RECIPE = f"""
summary = "mine"
batch_size = 3
epochs = 2
[optimizer]
momentum = 0.5
weight_decay = 0.01
form = "paper"
[schedule]
lr = 0.001
bias_lr = 0.002
[lrn]
size = 5
alpha = 1e-4
beta = 0.75
k = 1.0
alpha_per = "size"
[images]
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
crop = "random"
side = {SIDE}
flip = true
color_noise = 0.1
"""


def stopped(monkeypatch, step, *arguments):
    """Run a training that Ctrl-C ends after a step."""
    tell = Session.tell

    def told(self, state):
        tell(self, state)
        if state.event == "step" and state.step >= step and not self.interrupted:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "tell", told)
        assert run(*arguments).exit_code == INTERRUPTED


def wished(folder, to):
    """A plan that has another kernel than a run took, for its last layer; its key and kernel."""
    taken = plans.load(folder / PLAN).entries(CPU)
    key = next(key for key in taken if key.startswith("linear "))
    (other,) = {"numba:tiled", "numpy:matmul"} - {taken[key].kernel}
    plans.save(Plan().having(CPU, {key: Entry(other)}), to)
    return key, other


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photographs, weights in Caffe's order with a normalisation of their own, and a recipe."""
    root = tmp_path_factory.mktemp("both")
    fill(root / "pets" / "train", cat=4, dog=4)
    fill(root / "pets" / "test", cat=2, dog=2)
    net = models.create("cuda_convnet", 2, seed=4)
    NORM.put_on(net, "test")
    for parameter in net.parameters():
        parameter.value = parameter.value * 8  # so that the outputs depend on the image
    gcv.save(root / "theirs.safetensors", net, metadata={KEY: THEIRS.dumps()})
    (root / "mine.toml").write_text(RECIPE)
    return root


def command(place, *more):
    given = ("--recipe", place / "mine.toml", "--weights", place / "theirs.safetensors")
    options = ("--data", place / "pets", "--device", "cpu", "--read-every", 1)
    return ("train", "cuda_convnet", *given, *options, *more)


@pytest.fixture(scope="module")
def whole(place):
    """A run by the recipe, from the weights, after a plan; and what the plan wanted."""
    succeed(*command(place, "--max-steps", 1, "--out", place / "one"))
    wish = wished(place / "one", place / "wish.json")
    more = ("--plan", place / "wish.json", "--out", place / "whole")
    return succeed(*command(place, *more)), wish


def information(folder):
    return json.loads((folder / "run.json").read_text())


def said(*arguments):
    return json.loads("\n".join(succeed(*arguments, "--json", "--device", "cpu")))


def test_the_weights_say_what_values_are_and_the_recipe_how_large_images_are(place, whole):
    lines, (key, kernel) = whole
    assert f"data: images: random 24x24 of the middle {SIDE}x{SIDE}" in lines
    assert "data: channels in the order BGR" in lines
    file = place / "theirs.safetensors"
    assert f"weights: how {file} normalises images and responses goes before the recipe" in lines
    info = information(place / "whole")
    model = info["model"]
    assert (model["order"], model["resize"], tuple(model["mean"])) == ("BGR", SIDE, MEAN)
    assert ResponseNorm(**model["lrn"]) == NORM
    assert info["recipe"]["schedule"]["bias_lr"] == 0.002
    assert len(info["colours"]["eigenvalues"]) == 3
    assert plans.load(place / "whole" / PLAN).entries(CPU)[key].kernel == kernel


def test_it_is_resumed_to_the_same_bits_without_recipe_and_weights(place, whole, monkeypatch):
    more = ("--plan", place / "wish.json", "--out", place / "stopped")
    stopped(monkeypatch, 4, *command(place, *more))
    names = ("mine.toml", "theirs.safetensors")
    for name in names:
        (place / name).rename(place / f"{name}.away")
    try:
        succeed("train", "--resume", place / "stopped")
    finally:
        for name in names:
            (place / f"{name}.away").rename(place / name)
    for name in (WEIGHTS, PLAN):
        assert (place / "stopped" / name).read_bytes() == (place / "whole" / name).read_bytes()
    finals = [information(place / name)["final"] for name in ("stopped", "whole")]
    assert finals[0] == finals[1]


def test_run_and_weights_measure_and_predict_as_by_hand(place, whole):
    net = models.create("cuda_convnet", 2)
    NORM.put_on(net, "test")
    net.load_state_dict(gcv.load(place / "whole"))
    prepare = Preprocessing((3, 24, 24), MEAN, STD, "BGR", SIDE)
    files, labels = sorted((place / "pets" / "test").rglob("*.png")), np.array([0, 0, 1, 1])
    images = np.concatenate([prepare.image(path) for path in files])
    one = gcv.evaluate(net, [(images, labels)]).loss
    assert information(place / "whole")["final"]["test_loss"] == pytest.approx(one, rel=1e-5)

    def probabilities(path):
        views = TenCrop(SIDE)(decode(path), np.zeros(4, np.uint32), 24, 24)
        values = (views[..., ::-1] / 255 - MEAN) / STD
        return ops.softmax(net(values.transpose(0, 3, 1, 2).astype(np.float32))).mean(0)

    mean = np.stack([probabilities(path) for path in files])
    ten = -np.log(mean[np.arange(4), labels]).mean()
    assert ten != pytest.approx(one, rel=1e-3)
    both = ("eval", place / "whole"), ("eval", "cuda_convnet", "--weights", place / "whole")
    for way in both:
        given = (*way, "--data", place / "pets")
        assert said(*given)["loss"] == pytest.approx(one, rel=1e-5)
        assert said(*given, "--ten-crop", SIDE)["loss"] == pytest.approx(ten, rel=1e-5)
    asked = ("predict", place / "whole", files[0])
    other = ("predict", "cuda_convnet", files[0], "--weights", place / "whole")
    assert said(*asked) == said(*other)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"colours": {"eigenvalues": [1, 2, 3]}}, "run.json: the colours of the training set are"),
        ({"recipe": {"summary": "x"}}, "recipe: batch_size is missing"),
        ({"lrn": {"size": 0}}, "the model cannot be made from it"),
        ({"lrn": 7}, "the model cannot be made from it"),
    ],
)
def test_a_run_whose_word_is_damaged_is_not_resumed(place, whole, tmp_path, change, text):
    shutil.copytree(place / "whole", tmp_path / "run")
    info = information(tmp_path / "run")
    entry = info["model"] if "lrn" in change else info
    entry |= change
    kept = json.dumps(info | {"status": "interrupted"})
    (tmp_path / "run" / "run.json").write_text(kept)
    assert text in fail("train", "--resume", tmp_path / "run")


def test_what_a_recipe_has_a_word_on_is_refused_beside_it(place):
    for option in (("--schedule", "constant"), ("--lr-scale", "conv1=2")):
        line = fail(*command(place, *option, "--out", place / "none"))
        assert line.startswith(f"{option[0]}: --recipe ")
    assert not (place / "none").exists()


def test_normalisation_that_travels_is_checked():
    assert ResponseNorm.loads(NORM.dumps(), "w") == NORM
    for text in ("", "[]", "7", "{}", '{"size": 0}', NORM.dumps().replace("element", "none")):
        with pytest.raises(DataError, match="^w: no such normalisation"):
            ResponseNorm.loads(text, "w")
    with pytest.raises(OptionError, match="w: says .* the net has no LocalResponseNorm"):
        NORM.put_on(models.create("lenet5"), "w")
    assert ResponseNorm.of(models.create("lenet5")) is None


def test_a_saved_net_says_its_normalisation(tmp_path):
    net = models.create("cuda_convnet")
    gcv.save(tmp_path / "plain.safetensors", net)
    NORM.put_on(net, "test")
    gcv.save(tmp_path / "other.safetensors", net)
    texts = [
        gcv.weights.metadata(tmp_path / f"{name}.safetensors")[response.KEY]
        for name in ("plain", "other")
    ]
    assert ResponseNorm.loads(texts[0], "w") == ResponseNorm(5, 0.001, 0.75, 1.0, "size")
    assert ResponseNorm.loads(texts[1], "w") == NORM
