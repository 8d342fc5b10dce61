"""Augmentation and channels: what becomes of the pixels."""

import numpy as np
import pytest
from PIL import Image
from test_data_loader import loader, pixels

from gpuconv import data
from gpuconv.data import transforms
from gpuconv.errors import OptionError
from gpuconv.random import AUGMENT, Stream


def test_a_shift_moves_by_whole_pixels_and_fills_with_zeros():
    images = np.maximum(pixels(400, 6, 5, 3), 1)
    words = Stream(3, 0, AUGMENT).words(1600).reshape(400, 4)
    moved = data.random_shift(2)(images, words)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    seen = set()
    for source, result in zip(padded, moved, strict=True):
        fits = [
            (dy, dx)
            for dy in range(5)
            for dx in range(5)
            if (source[dy : dy + 6, dx : dx + 5] == result).all()
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) == 25


def test_a_flip_mirrors_half_of_the_images():
    images = pixels(400, 6, 5, 3)
    words = Stream(3, 0, AUGMENT).words(1600).reshape(400, 4)
    flipped = data.random_flip()(images, words)
    same = (flipped == images).all((1, 2, 3))
    assert (flipped[~same] == images[~same][:, :, ::-1]).all()
    assert 160 < same.sum() < 240


def test_grey_is_pillows_luma_and_channels_are_repeated():
    images = pixels(5, 6, 5, 3)
    grey = transforms.to_channels(images, 1)
    for image, expected in zip(images, grey, strict=True):
        np.testing.assert_array_equal(
            np.asarray(Image.fromarray(image).convert("L")), expected[..., 0]
        )
    np.testing.assert_array_equal(transforms.to_channels(grey, 3), np.repeat(grey, 3, axis=3))
    assert transforms.to_channels(images, 3) is images


def test_bad_augmentations_are_refused():
    for reach in (0, 1.5):
        with pytest.raises(OptionError, match=f"random_shift: pixels must be an integer.*{reach}"):
            data.random_shift(reach)
    for wrong in (lambda x, _: x[:, 1:], lambda x, _: x / 2, lambda x, _: None):
        with pytest.raises(OptionError, match=r"gave .*expected uint8 \(4, 6, 5, 1\)"):
            list(loader(augment=wrong))
