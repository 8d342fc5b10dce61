"""Crops, colour noise, cutout, and evaluation on ten crops."""

import numpy as np
import pytest
from test_data_loader import pixels

import gpuconv as gcv
from gpuconv import data, ops
from gpuconv.data.colour import _normal
from gpuconv.data.crops import below
from gpuconv.data.images import middle
from gpuconv.errors import DataError, OptionError, ShapeError
from gpuconv.layers import Conv2d, Flatten, Linear
from gpuconv.random import CROP, Stream

NONE = np.zeros(4, np.uint32)


def words(*numbers: int) -> np.ndarray:
    return np.array([*numbers, 0, 0], np.uint32)


def test_a_random_crop_reaches_every_place_and_no_other():
    square, most = pixels(8, 8, 3), 2**32 - 1
    crop = data.RandomCrop(8)
    np.testing.assert_array_equal(crop(square, words(0, 0), 5, 6)[0], square[:5, :6])
    np.testing.assert_array_equal(crop(square, words(most, most), 5, 6)[0], square[3:, 2:])
    drawn = [below(word, 3) for word in Stream(5).words(3000)]
    assert np.abs(np.bincount(drawn) - 1000).max() < 100
    large = pixels(40, 30, 3)
    expected = middle(large, 8, 8, 8)[1:6, 0:6]
    np.testing.assert_array_equal(crop(large, words(2**30, 0), 5, 6)[0], expected)
    with pytest.raises(OptionError, match=r"takes 9x6, which is not within 8x8; give a larger"):
        crop.check(9, 6)
    with pytest.raises(OptionError, match="side must be an integer"):
        data.RandomCrop(0)


def test_ten_crops_are_the_corners_the_middle_and_their_mirrors():
    square = pixels(8, 8, 1)
    ten = data.TenCrop(8)(square, NONE, 4, 4)
    places = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    for view, (top, left) in zip(ten[:5], places, strict=True):
        np.testing.assert_array_equal(view, square[top : top + 4, left : left + 4])
    np.testing.assert_array_equal(ten[5:], ten[:5, :, ::-1])
    np.testing.assert_array_equal(middle(square, 8, 4, 4), ten[4])


def test_a_random_resized_crop_stays_within_its_bounds():
    image, crop = pixels(40, 60, 3), data.RandomResizedCrop((0.25, 0.25), (1.0, 1.0))
    side = round((40 * 60 / 4) ** 0.5)
    np.testing.assert_array_equal(crop(image, NONE, side, side)[0], image[:side, :side])
    for seed in range(20):
        drawn = Stream(seed).words(4)
        assert data.RandomResizedCrop()(image, drawn, 7, 5).shape == (1, 7, 5, 3)
        assert data.RandomResizedCrop((1.0, 1.0), (9.0, 9.0))(image, drawn, 4, 4).shape[0] == 1
    with pytest.raises(OptionError, match=r"scale must be 0 < low <= high, got \(0.5, 0.1\)"):
        data.RandomResizedCrop((0.5, 0.1))


def test_the_loader_crops_each_sample_by_its_own_number():
    source = data.ArrayDataset("toy", pixels(9, 8, 8, 3), np.arange(9) % 3, "abc")
    options = {"input_shape": (3, 5, 5), "mean": 0.0, "std": 1.0, "crop": data.RandomCrop(8)}
    batches = data.Loader(source, 4, seed=3, **options)
    assert batches.messages == ["images: random 5x5 of the middle 8x8"]
    batches.set_epoch(2)
    images = np.concatenate([images for images, _ in batches])
    drawn = Stream(3, 2, CROP).words(36).reshape(9, 4)
    for k in range(9):
        expected = data.RandomCrop(8)(source.images[k], drawn[k], 5, 5)[0]
        np.testing.assert_array_equal(np.rint(images[k] * 255), expected.transpose(2, 0, 1))
    with pytest.raises(OptionError, match="not within 8x8"):
        data.Loader(source, 4, **{**options, "input_shape": (3, 9, 9)})
    with pytest.raises(OptionError, match="10 views of an image are for evaluation"):
        data.Loader(source, 4, augment=data.random_flip(), **{**options, "crop": data.TenCrop(8)})


def test_colour_noise_moves_a_whole_image_along_the_principal_axes():
    values, vectors = [0.2, 0.02, 0.004], np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2)[0]
    images = np.full((6, 4, 3, 3), 128, np.uint8)
    drawn = Stream(1).words(24).reshape(6, 4)
    moved = data.color_noise(values, vectors, 0.1)(images, drawn)
    shift = 0.1 * 255 * (_normal(drawn) * values) @ vectors.T
    expected = np.rint(128 + shift).clip(0, 255)
    np.testing.assert_array_equal(moved, np.broadcast_to(expected[:, None, None], moved.shape))
    assert len(np.unique(moved[:, 0, 0], axis=0)) == 6
    many = _normal(Stream(2).words(40000).reshape(-1, 4))
    assert np.abs(many.mean(0)).max() < 0.05
    assert np.abs(np.cov(many.T) - np.eye(3)).max() < 0.06
    with pytest.raises(ShapeError, match="1 channels, expected RGB"):
        data.color_noise(values, vectors)(images[..., :1], drawn)
    with pytest.raises(OptionError, match=r"expected 3 eigenvalues .* got \(2,\)"):
        data.color_noise([1, 2], vectors)


def test_augmentations_see_rgb_whatever_the_order_of_the_net():
    source = data.ArrayDataset("toy", pixels(5, 6, 6, 3), np.arange(5) % 2, "ab")
    noise = data.color_noise([0.2, 0.02, 0.004], np.eye(3), 0.1)
    for crop in (None, data.RandomCrop(6)):
        options = {"input_shape": (3, 5, 5), "mean": 0.5, "std": 0.5, "crop": crop}
        (red, _), (blue, _) = (
            next(iter(data.Loader(source, 5, augment=noise, order=order, **options)))
            for order in ("RGB", "BGR")
        )
        np.testing.assert_array_equal(red[:, ::-1], blue)


def test_an_image_that_is_too_long_is_named():
    long = data.ArrayDataset("toy", np.zeros((2, 1, 60000, 3), np.uint8), np.zeros(2, int), "a")
    options = {"input_shape": (3, 5, 5), "mean": 0.5, "std": 0.5, "crop": data.RandomCrop(50)}
    with pytest.raises(DataError, match="toy: sample 0: an image of 60000 x 1 would become"):
        next(iter(data.Loader(long, 2, **options)))


def test_cutout_fills_a_square_around_a_pixel():
    images = pixels(2, 6, 6, 1) | 1
    drawn = np.array([[2**31, 2**31, 0, 0], [0, 2**32 - 1, 0, 0]], np.uint32)
    cut = data.cutout(3, fill=0)(images, drawn)
    assert np.argwhere(cut[0, ..., 0] == 0).tolist() == [
        [r, c] for r in (2, 3, 4) for c in (2, 3, 4)
    ]
    assert np.argwhere(cut[1, ..., 0] == 0).tolist() == [[r, c] for r in (0, 1) for c in (4, 5)]
    for bad in ({"size": 0}, {"size": 2, "fill": 256}):
        with pytest.raises(OptionError, match="cutout"):
            data.cutout(**bad)


def test_evaluation_averages_the_probabilities_of_ten_crops():
    net = gcv.Sequential(Conv2d(1, 4, 3), Flatten(), Linear(4 * 24 * 24, 10))
    net.input_shape, net.mean, net.std = (1, 26, 26), (0.1,), (0.3,)
    whole = gcv.data.mnist("test")
    source = data.ArrayDataset("few", whole.images[:7], whole.labels[:7], whole.classes)
    found = gcv.evaluate(net, source, batch_size=3, crop=data.TenCrop(28))
    mean = np.zeros((7, 10))
    for k, image in enumerate(source.images):
        views = data.TenCrop(28)(image, NONE, 26, 26).transpose(0, 3, 1, 2)
        mean[k] = ops.softmax(net(((views / 255 - 0.1) / 0.3).astype(np.float32))).mean(0)
    assert found.images == 7
    assert found.accuracy == pytest.approx((mean.argmax(1) == source.labels).mean())
    expected = -np.log(mean[np.arange(7), source.labels]).mean()
    assert found.loss == pytest.approx(expected, rel=1e-5)
