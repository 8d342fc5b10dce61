"""How images become what a net takes: said once, kept with the weights, used by predict."""

import json

import numpy as np
import pytest
from command_line import fail, succeed
from PIL import Image

import gpuconv as gcv
from gpuconv.data import Preprocessing
from gpuconv.data.preprocessing import KEY
from gpuconv.errors import DataError, OptionError
from gpuconv.weights import metadata


@pytest.fixture
def photo(tmp_path):
    """20 x 30 pixels whose red is the column, green the row and blue 200."""
    rows, columns = np.indices((20, 30))
    pixels = np.stack([columns, rows, np.full_like(rows, 200)], 2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_the_middle_is_cut_out_of_the_shorter_side(photo):
    found = Preprocessing((3, 10, 12), (0.0,), (1.0,), resize=20).image(photo)
    assert (found.shape, found.dtype) == ((1, 3, 10, 12), np.float32)
    np.testing.assert_allclose(found[0, 0, 0] * 255, np.arange(9, 21), rtol=1e-6)
    np.testing.assert_allclose(found[0, 1, :, 0] * 255, np.arange(5, 15), rtol=1e-6)


def test_the_channels_of_bgr_are_turned_and_then_normalised(photo):
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 0.125)
    found = Preprocessing((3, 20, 30), mean, std, order="BGR").image(photo)[0]
    np.testing.assert_allclose(found[0], (200 / 255 - 0.1) / 0.5, rtol=1e-5)
    np.testing.assert_allclose(found[2, 0], (np.arange(30) / 255 - 0.3) / 0.125, rtol=1e-5)


def test_without_a_crop_it_is_what_the_loader_makes(photo):
    made = Preprocessing((3, 8, 8), (0.5,), (0.25,))
    expected = gcv.data.load_image(photo, (3, 8, 8), 0.5, 0.25)
    assert made.image(photo).tobytes() == expected.tobytes()


def test_it_survives_json():
    made = Preprocessing((3, 8, 8), (0.5,), (0.25,), "BGR", 9, ("cat", "dog"))
    assert Preprocessing.loads(made.dumps(), "here") == made


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", '{"input_shape": [3, 8], "mean": [0], "std": [1]}', "[" * 100_000]
)
def test_other_json_is_refused(text):
    with pytest.raises(DataError, match="^w: no such preprocessing"):
        Preprocessing.loads(text, "w")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"order": "RBG"}, "order must be RGB"),
        ({"input_shape": (1, 8, 8), "order": "BGR"}, "BGR of three channels"),
        ({"resize": 7}, "resize"),
        ({"classes": (1,)}, "classes must be strings"),
        ({"std": (0.0,)}, "std must be positive"),
    ],
)
def test_bad_values_are_refused(change, text):
    with pytest.raises(OptionError, match=text):
        Preprocessing(**{"input_shape": (3, 8, 8), "mean": (0.5,), "std": (0.25,)} | change)


def test_a_model_keeps_it_in_its_file(tmp_path):
    net = gcv.models.create("lenet5")
    gcv.save(tmp_path / "w.safetensors", net)
    said = metadata(tmp_path / "w.safetensors")[KEY]
    assert Preprocessing.loads(said, "w") == Preprocessing((1, 28, 28), (0.1307,), (0.3081,))


def predicted(*arguments):
    return json.loads("\n".join(succeed("predict", *arguments, "--json", "--device", "cpu")))


def test_predict_takes_a_model_and_a_file_and_prepares_images_as_it_says(tmp_path, photo):
    net = gcv.models.create("lenet5", num_classes=2, seed=3)
    made = Preprocessing((1, 28, 28), (0.5,), (0.1,), resize=40, classes=("cat", "dog"))
    gcv.save(tmp_path / "w", net, metadata={KEY: made.dumps()})
    (found,) = predicted("lenet5", photo, "--weights", tmp_path / "w")
    logits = net(made.image(photo))[0]
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    said = {entry["class"]: entry["probability"] for entry in found["top"]}
    assert said == pytest.approx(dict(zip(("cat", "dog"), shares.tolist(), strict=True)), rel=1e-4)


def test_predict_without_metadata_numbers_the_classes_and_cuts_photographs(tmp_path, photo):
    net = gcv.models.create("squeezenet", seed=3)
    gcv.save(tmp_path / "w.npz", net)
    (found,) = predicted("squeezenet", photo, "--weights", tmp_path / "w.npz")
    made = Preprocessing.of(net, resize=256)
    best = int(np.argmax(net(made.image(photo))[0]))
    assert found["top"][0]["class"] == f"class {best}"
    assert len(found["top"]) == 5


def test_predict_says_what_does_not_fit(tmp_path, photo):
    gcv.save(tmp_path / "w.npz", gcv.models.create("lenet5", num_classes=3))
    line = fail("predict", "lenet5", photo, "--weights", tmp_path / "w.npz")
    assert line.startswith("load_state_dict: fc3.weight has shape (3, 84)")
    assert "no model named 'lenet'" in fail(
        "predict", "lenet", photo, "--weights", tmp_path / "w.npz"
    )
    assert "there is no such file" in fail(
        "predict", "lenet5", photo, "--weights", tmp_path / "gone"
    )


def test_training_starts_from_weights(tmp_path):
    net = gcv.models.create("lenet5", seed=9)
    gcv.save(tmp_path / "w.npz", net)
    options = ("--weights", tmp_path / "w.npz", "--lr", 0, "--max-steps", 1, "--device", "cpu")
    succeed("train", *options, "--out", tmp_path / "run")
    found = gcv.load(tmp_path / "run")
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(found[name], value)
    line = fail("train", "--weights", tmp_path / "gone", "--out", tmp_path / "other")
    assert "gone: there is no such file" in line
    assert not (tmp_path / "other").exists()
