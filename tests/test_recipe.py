"""Recipes: what the shipped ones say, what they do to a net, and files that are none."""

import json
import time

import numpy as np
import pytest
from command_line import fail, finish, start, succeed
from test_data_images import fill

import gpuconv as gcv
from gpuconv import models
from gpuconv.data import RandomCrop, RandomResizedCrop
from gpuconv.errors import OptionError
from gpuconv.layers import LocalResponseNorm, Parameter
from gpuconv.training import recipe as recipes
from gpuconv.training.checkpoint import CHECKPOINT, WEIGHTS, Run

CONVS = ["features.0", "features.4", "features.8", "features.10", "features.12"]


def made(name: str, model: str, seed: int = 1):
    net = models.create(model, 7, seed=seed)
    recipes.read(name).put_on(net)
    return net.initialize(seed)


def head(net, name: str):
    return dict(net.named_parameters())[name]


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_fits_the_models_that_it_names(name):
    recipe = recipes.read(name)
    assert recipe.models
    for model in recipe.models:
        made(name, model)
    assert recipes.parse(json.loads(json.dumps(recipes.plain(recipe))), name) == recipe
    assert (recipes.FOLDER / f"{name}.toml").read_text().startswith("# ")  # its source


def test_the_recipe_of_the_paper_is_the_model_as_published():
    net, plain = made("paper", "alexnet_2012"), models.create("alexnet_2012", 7, seed=1)
    plain.initialize(1)
    for (name, a), (_, b) in zip(net.named_parameters(), plain.named_parameters(), strict=True):
        if a.size < 10**6:
            np.testing.assert_array_equal(a.value, b.value, err_msg=name)
    layers = net.children()["features"].children().values()
    norms = [layer.options for layer in layers if isinstance(layer, LocalResponseNorm)]
    assert norms == [(5, 1e-4, 0.75, 2.0, "element")] * 2
    one = np.full((1, 1, 1, 1), 255, np.uint8)
    assert (one / 255 - 0)[0, 0, 0, 0] / net.std[0] == pytest.approx(255)


def test_caffes_first_values_and_convention():
    net = made("caffe", "alexnet_2012")
    biases = {name: head(net, f"{name}.bias").value for name in [*CONVS, "classifier.6"]}
    firsts = [float(value[0]) for value in biases.values()]
    assert firsts == pytest.approx([0, 0.1, 0, 0.1, 0.1, 0])
    assert all((value == value[0]).all() for value in biases.values())
    assert head(net, "features.4.weight").value.std() == pytest.approx(0.01, rel=0.02)
    assert head(net, "classifier.6.weight").value.std() == pytest.approx(0.01, rel=0.02)
    assert head(net, "classifier.3.weight")._init == recipes.Normal(0.005)
    assert net.children()["features"].children()["2"].options == (5, 1e-4, 0.75, 1.0, "size")


def test_the_optimizer_of_a_recipe_keeps_weights_and_biases_apart():
    net = gcv.Sequential(gcv.layers.Linear(2, 3), gcv.layers.ReLU(), gcv.layers.Linear(3, 2))
    optimizer = recipes.read("one-weird-trick").make_optimizer(net, 900, 0.01)
    weights, biases = optimizer.groups
    assert [p.shape for p in biases.parameters] == [(3,), (2,)]
    assert (weights.weight_decay, biases.weight_decay) == (5e-4, 0.0)
    assert optimizer.options["form"] == "paper"
    rates = {}
    for step in (0, 224, 225, 449, 450, 674, 675, 899):
        optimizer.steps = step
        rates[step] = (weights.rate(optimizer.lr, step), biases.rate(optimizer.lr, step))
    ratio = 250 ** (-1 / 3)
    for step, drops, later in ((0, 0, 0), (224, 0, 0), (225, 1, 0), (450, 2, 1), (899, 3, 1)):
        expected = (0.01 * ratio**drops, 0.02 * 0.1**later)
        assert rates[step] == pytest.approx(expected), step
    assert rates[899][0] == pytest.approx(0.01 / 250)
    half = recipes.read("caffe").make_optimizer(net, 90, 0.005)
    assert [group.rate(half.lr, 0) for group in half.groups] == pytest.approx([0.005, 0.01])


def test_a_groups_weight_decay_is_its_own():
    still, decayed = Parameter(np.ones(3, np.float32)), Parameter(np.ones(3, np.float32))
    groups = [{"params": [still], "weight_decay": 0.0}, {"params": [decayed]}]
    optimizer = gcv.SGD(groups, 0.5, weight_decay=0.25)
    for parameter in (still, decayed):
        parameter.grad = np.zeros(3, np.float32)
    optimizer.step()
    np.testing.assert_array_equal(still.value, np.ones(3))
    np.testing.assert_array_equal(decayed.value, np.full(3, 1 - 0.5 * 0.25))
    with pytest.raises(OptionError, match="group 0: weight_decay"):
        gcv.SGD([{"params": [still], "weight_decay": -1}], 0.1)


def test_crops_of_recipes():
    kinds = {name: recipes.read(name).training_crop() for name in recipes.names()}
    assert kinds["paper"] == kinds["caffe"] == RandomCrop(256)
    assert kinds["torchvision"] == RandomResizedCrop()
    for name in kinds:
        assert made(name, recipes.read(name).models[0]).resize == 256


NORM = "[lrn]\nsize = 5\nalpha = 1\nbeta = 1\nk = 1\nalpha_per = 'size'\n"
SMALL = """
summary = "mine"
batch_size = 4
epochs = 3
label_smoothing = 0.1
[optimizer]
momentum = 0.5
[schedule]
lr = 0.02
epochs = [1]
[init]
"*.weight" = { normal = 0.05 }
[images]
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
crop = "random"
side = 36
flip = true
color_noise = 0.1
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("momentum", "momentun"), r"optimizer: unknown entry 'momentun'; did you mean momentum\?"),
        (("batch_size = 4", ""), "batch_size is missing"),
        (("lr = 0.02", 'lr = "high"'), "schedule: lr must be a finite number, got 'high'"),
        (("epochs = [1]", "epochs = 1"), "schedule: epochs: expected a list, got 1"),
        (("{ normal = 0.05 }", "{ gauss = 1 }"), r"init '\*.weight' is .*gauss.*expected one of"),
        (("side = 36", ""), "images.crop is 'random'.*needs images.side"),
        (("flip = true", "flip = 1"), "images: flip: expected bool, got 1"),
        (("[images]", "[images"), "cannot be read"),
        (("[init]", "[init]\n'nothing' = { constant = 1 }"), "'nothing' fits no parameter"),
        (
            ("[init]", "[lrn]\nsize=5\nalpha=1\nbeta=1\nk=1\nalpha_per='size'\n[init]"),
            "the net has no LocalRes",
        ),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, change, message):
    path = tmp_path / "mine.toml"
    assert SMALL.replace(*change) != SMALL
    path.write_text(SMALL.replace(*change))
    with pytest.raises(OptionError, match=message):
        recipes.read(str(path)).put_on(models.create("lenet5"))


def test_a_recipe_that_is_not_there():
    with pytest.raises(OptionError, match="no recipe named 'papers'; did you mean 'paper'"):
        recipes.read("papers")
    with pytest.raises(OptionError, match=r"none\.toml: cannot be read"):
        recipes.read("none.toml")


def test_training_by_a_recipe_of_ones_own(tmp_path):
    fill(tmp_path / "images", a=8, b=8)
    (tmp_path / "mine.toml").write_text(SMALL)
    command = ["train", "cuda_convnet", "--recipe", tmp_path / "mine.toml", "--device", "cpu"]
    command += ["--data", tmp_path / "images"]
    lines = succeed(*command, "--out", tmp_path / "whole")
    assert "recipe: colour axes of 14 training images" in lines
    assert "data: images: random 24x24 of the middle 36x36" in lines
    info = json.loads((tmp_path / "whole/run.json").read_text())
    kept = {name: info["settings"][name] for name in ("batch_size", "epochs", "lr", "momentum")}
    assert kept == {"batch_size": 4, "epochs": 3, "lr": 0.02, "momentum": 0.5}
    assert Run.open(tmp_path / "whole").recipe() == recipes.read(str(tmp_path / "mine.toml"))
    assert (info["model"]["resize"], info["model"]["mean"]) == (36, [0.5, 0.5, 0.5])
    found = succeed("eval", tmp_path / "whole")
    assert found[-1] == lines[-1]
    succeed("predict", tmp_path / "whole", tmp_path / "images/a/000.png")
    assert len(succeed("eval", tmp_path / "whole", "--ten-crop", 36)) == 3


def test_options_beside_a_recipe(tmp_path):
    fill(tmp_path / "images", a=3, b=3)
    (tmp_path / "mine.toml").write_text(SMALL)
    command = ["train", "cuda_convnet", "--recipe", tmp_path / "mine.toml", "--device", "cpu"]
    command += ["--data", tmp_path / "images", "--out", tmp_path / "run"]
    assert "--schedule: --recipe" in fail(*command, "--schedule", "constant")
    succeed(*command, "--epochs", 1, "--lr", 0.01)
    settings = json.loads((tmp_path / "run/run.json").read_text())["settings"]
    assert (settings["epochs"], settings["lr"], settings["batch_size"]) == (1, 0.01, 4)


@pytest.mark.slow
def test_a_run_by_a_recipe_that_was_killed_goes_on_to_the_same_bits(tmp_path):
    fill(tmp_path / "images", a=8, b=8)
    (tmp_path / "mine.toml").write_text(SMALL.replace("epochs = 3", "epochs = 6"))
    command = ["train", "cuda_convnet", "--recipe", tmp_path / "mine.toml", "--device", "cpu"]
    command += ["--data", tmp_path / "images"]
    succeed(*command, "--out", tmp_path / "whole")
    process = start(*command, "--workers", 2, "--out", tmp_path / "killed")
    while not (tmp_path / "killed" / CHECKPOINT).exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    finish(process)
    (tmp_path / "mine.toml").unlink()
    lines = succeed("train", "--resume", tmp_path / "killed")
    assert any(line.startswith("resumed: ") for line in lines)
    weights = [(tmp_path / folder / WEIGHTS).read_bytes() for folder in ("whole", "killed")]
    assert weights[0] == weights[1]
