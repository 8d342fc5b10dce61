"""Weights from elsewhere on the command line: train, eval and predict prepare images alike."""

import json

import numpy as np
import pytest
from command_line import QUICK, fail, succeed
from test_data_images import fill

import gpuconv as gcv
from gpuconv.cli._foreign import preparation
from gpuconv.data import Preprocessing
from gpuconv.data.preprocessing import KEY

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.25, 0.125)
MADE = Preprocessing((3, 24, 24), MEAN, STD, "BGR", 30, ("cat", "dog"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photographs of cats and dogs, and weights of cuda_convnet for them in Caffe's order."""
    root = tmp_path_factory.mktemp("weights")
    fill(root / "pets" / "train", cat=5, dog=4)
    fill(root / "pets" / "test", cat=3, dog=2)
    net = gcv.models.create("cuda_convnet", 2, seed=4)
    for parameter in net.parameters():
        parameter.value = parameter.value * 20  # so that the outputs depend on the image
    gcv.save(root / "bgr.safetensors", net, metadata={KEY: MADE.dumps()})
    gcv.save(root / "plain.npz", net)
    return root


@pytest.fixture(scope="module")
def trained(place):
    """A run that started from the weights and left them as they were."""
    given = ("--data", place / "pets", "--weights", place / "bgr.safetensors", "--lr", 0)
    lines = succeed("train", "cuda_convnet", *given, *QUICK, "--out", place / "run")
    return place / "run", lines


def measured(*arguments):
    return json.loads("\n".join(succeed("eval", *arguments, "--json", "--device", "cpu")))


def by_hand(place, prepare):
    """Loss on the test images that ``prepare`` reads one by one."""
    net = gcv.models.create("cuda_convnet", 2)
    net.load_state_dict(gcv.load(place / "plain.npz"))
    files = sorted((place / "pets" / "test").rglob("*.png"))
    images = np.concatenate([prepare.image(path) for path in files])
    labels = np.array([0, 0, 0, 1, 1])
    return gcv.evaluate(net, [(images, labels)]).loss


def test_eval_takes_a_model_a_file_and_data(place):
    found = measured(
        "cuda_convnet", "--weights", place / "bgr.safetensors", "--data", place / "pets"
    )
    assert found["loss"] == pytest.approx(by_hand(place, MADE), rel=1e-6)
    assert (found["images"], found["split"]) == (5, "test")
    plain = measured("cuda_convnet", "--weights", place / "plain.npz", "--data", place / "pets")
    net = gcv.models.create("cuda_convnet")
    assert plain["loss"] == pytest.approx(by_hand(place, Preprocessing.of(net)), rel=1e-6)
    assert plain["loss"] != pytest.approx(found["loss"], rel=0.1)


def test_training_prepares_images_as_its_weights_say(place, trained):
    run, lines = trained
    assert "data: images of any size: shorter side to 30, middle 24x24 cut out, colour" in lines
    assert "data: channels in the order BGR" in lines
    info = json.loads((run / "run.json").read_text())
    assert (info["model"]["order"], info["model"]["resize"]) == ("BGR", 30)
    assert info["final"]["test_loss"] == pytest.approx(by_hand(place, MADE), rel=1e-6)
    assert measured(run)["loss"] == info["final"]["test_loss"]


def test_a_run_its_weights_and_the_file_predict_the_same(place, trained):
    image = place / "pets" / "test" / "cat" / "001.png"
    ways = [
        ("predict", trained[0], image),
        ("predict", "cuda_convnet", image, "--weights", trained[0]),
        ("predict", "cuda_convnet", image, "--weights", place / "bgr.safetensors"),
    ]
    found = [succeed(*way, "--json", "--device", "cpu") for way in ways]
    assert found[0] == found[1] == found[2]


def test_a_resumed_run_prepares_images_as_before(place, trained):
    run, lines = trained
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(info | {"status": "interrupted"}))
    (place / "bgr.safetensors").rename(place / "away")
    try:
        assert fail("train", "--resume", run).startswith(f"{place}/bgr.safetensors: there is no")
    finally:
        (place / "away").rename(place / "bgr.safetensors")
    again = succeed("train", "--resume", run)
    assert [line for line in lines if line.startswith("data:")] == [
        line for line in again if line.startswith("data:")
    ]
    assert json.loads((run / "run.json").read_text())["final"] == info["final"]


def test_photographs_are_cut_for_imagenets_models_though_the_file_says_nothing(place):
    net = gcv.models.create("squeezenet")
    assert preparation(net, place / "plain.npz").resize == net.resize == 256
    assert preparation(gcv.models.create("lenet5"), place / "plain.npz").resize is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--weights", "plain.npz"), "give --data, as mnist or a folder of images"),
        (
            ("--weights", "plain.npz", "--data", "mnist"),
            "plain.npz has 2 classes but mnist has 10; give --data with as many",
        ),
        (
            ("--weights", "bgr.safetensors", "--data", "mnist"),
            "mnist has classes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 but bgr.safetensors is for cat, dog",
        ),
        (("--weights", "gone", "--data", "mnist"), "gone: there is no such file"),
        (("--weights", "grey", "--data", "pets"), "grey: is for images 1x24x24, but the model "),
        (("--weights", "tiny", "--data", "pets"), "tiny: is for images 3x2x2, which the model"),
        (("--weights", "odd", "--data", "pets"), "odd: no such preprocessing"),
    ],
)
def test_what_does_not_fit_is_said(place, monkeypatch, options, text):
    monkeypatch.chdir(place)
    net = gcv.models.create("cuda_convnet", 2)
    grey, tiny = (Preprocessing(shape, (0.5,), (0.5,)) for shape in ((1, 24, 24), (3, 2, 2)))
    for name, said in (("grey", grey.dumps()), ("tiny", tiny.dumps()), ("odd", "{}")):
        gcv.save(place / name, net, metadata={KEY: said})
    assert text in fail("eval", "cuda_convnet", *options)
    assert fail("eval", "cuda_convent", *options).startswith(("no model", "eval --weights"))


def test_training_says_what_does_not_fit_before_a_run_is_made(place):
    grey = Preprocessing((1, 24, 24), (0.5,), (0.5,))
    gcv.save(place / "g", gcv.models.create("cuda_convnet", 2), metadata={KEY: grey.dumps()})
    options = ("--weights", place / "g", "--data", place / "pets", "--out", place / "none")
    assert "g: is for images 1x24x24" in fail("train", "cuda_convnet", *options)
    assert not (place / "none").exists()
