"""Image files and folders of them, written by the tests."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_data import some, write_idx

from gpuconv import data
from gpuconv.data import images
from gpuconv.errors import DataError, OptionError

ORIENTATION = 0x0112


def picture(seed: int = 0, height: int = 12, width: int = 16) -> np.ndarray:
    """A smooth RGB image, so that JPEG keeps it nearly as it is."""
    y, x = np.mgrid[:height, :width]
    planes = [y * 8 + seed, x * 8 + seed, (x + y) * 4 + seed]
    return np.stack(planes, axis=2).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def truncate(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def fill(root: Path, ending: str = ".png", **counts: int) -> Path:
    """``counts`` images for each class, all different."""
    for number, (title, count) in enumerate(counts.items()):
        for k in range(count):
            save(root / title / f"{k:03}{ending}", picture(20 * number + k))
    return root


def test_colour_and_grey_files_keep_their_channels(tmp_path):
    rgb, grey = picture(), picture()[..., 0]
    np.testing.assert_array_equal(images.decode(save(tmp_path / "a.png", rgb)), rgb)
    np.testing.assert_array_equal(images.decode(save(tmp_path / "b.png", grey)), grey[..., None])
    jpeg = images.decode(save(tmp_path / "c.jpg", rgb, quality=95, subsampling=0))
    assert np.abs(jpeg.astype(int) - rgb).max() < 12
    np.testing.assert_array_equal(
        images.decode(save(tmp_path / "d.png", grey > 40)), 255 * (grey > 40)[..., None]
    )


def test_palettes_alpha_and_16_bits(tmp_path):
    rgb, grey = picture(), picture()[..., 0]
    palette = Image.fromarray(rgb).quantize(16)
    palette.save(tmp_path / "p.png")
    colours = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(images.decode(tmp_path / "p.png"), colours)
    palette.save(tmp_path / "pt.png", transparency=bytes(range(16)))
    np.testing.assert_array_equal(images.decode(tmp_path / "pt.png"), colours)
    rgba = np.dstack([rgb, grey])
    np.testing.assert_array_equal(images.decode(save(tmp_path / "a.png", rgba)), rgb)
    la = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(255 - grey)])
    la.save(tmp_path / "la.png")
    np.testing.assert_array_equal(images.decode(tmp_path / "la.png"), grey[..., None])
    deep = (np.arange(12, dtype=np.uint16) * 5461).reshape(3, 4)
    np.testing.assert_array_equal(
        images.decode(save(tmp_path / "16.png", deep))[..., 0], deep // 256
    )


@pytest.mark.parametrize(("orientation", "turned"), [(3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_honoured(tmp_path, orientation, turned):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = save(tmp_path / "a.png", picture(), exif=exif)
    np.testing.assert_array_equal(images.decode(path), np.rot90(picture(), turned))


def test_what_is_no_image_is_named(tmp_path):
    cut = truncate(save(tmp_path / "cut.jpg", picture(0, 120, 160)))
    cut_png = truncate(save(tmp_path / "cut.png", picture(0, 120, 160)))
    text = tmp_path / "text.png"
    text.write_text("no image")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    for path in (cut, cut_png, text, empty, tmp_path):
        with pytest.raises(DataError, match=rf"{path.name}: cannot be read as an image.*replace"):
            images.decode(path)
    with pytest.raises(DataError, match=r"none\.png: no such image; check the path"):
        images.decode(tmp_path / "none.png")


def test_resizing_averages_when_it_shrinks():
    stripes = np.zeros((8, 8, 1), np.uint8)
    stripes[:, ::2] = 200
    small = images.resize(stripes, 2, 2)
    assert small.shape == (2, 2, 1)
    assert np.abs(small.astype(int) - 100).max() <= 15
    large = images.resize(picture(), 24, 20)
    assert (large.shape, large.dtype) == ((24, 20, 3), np.uint8)
    split = images.resize(np.dstack([picture(), picture()]), 24, 20)
    np.testing.assert_array_equal(split, np.dstack([large, large]))


def test_an_image_folder(tmp_path):
    fill(tmp_path, ".JPEG", dog=2)
    fill(tmp_path, cat=3)
    for other in ("cat/notes.txt", ".hidden/a.png", "cat/._000.png", "README"):
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).touch()
    folder = data.image_folder(tmp_path)
    assert (folder.classes, folder.name, len(folder)) == (["cat", "dog"], tmp_path.name, 5)
    assert [label for _, label in (folder[k] for k in range(5))] == [0, 0, 0, 1, 1]
    np.testing.assert_array_equal(folder[1][0], picture(1))
    assert folder.labels.tolist() == [0, 0, 0, 1, 1]
    assert folder.skipped == 0


def test_every_class_is_split_ninety_to_ten(tmp_path):
    fill(tmp_path, a=20, b=5, c=1)
    train, test = (data.image_folder(tmp_path, split) for split in ("train", "test"))
    assert np.bincount(train.labels).tolist() == [18, 4, 1]
    assert np.bincount(test.labels).tolist() == [2, 1]
    # Pinned: another split would mix the test images of older runs into the training of newer ones.
    assert [f"{p.parent.name}/{p.stem}" for p in test.paths] == ["a/001", "a/011", "b/001"]
    assert train.paths == sorted(train.paths)
    assert not set(train.paths) & set(test.paths)
    assert sorted(train.paths + test.paths) == data.image_folder(tmp_path).paths
    assert train.paths == data.image_folder(tmp_path, "train").paths
    fill(tmp_path, aa=4)
    again = data.image_folder(tmp_path, "test").paths
    assert [path for path in again if path.parent.name != "aa"] == test.paths


@pytest.mark.parametrize("second", ["test", "val"])
def test_folders_named_for_the_splits_are_the_splits(tmp_path, second):
    fill(tmp_path / "train", a=1, b=2, c=1)
    fill(tmp_path / second, b=3)
    test = data.image_folder(tmp_path, "test")
    assert (test.classes, test.labels.tolist()) == (["a", "b", "c"], [1, 1, 1])
    assert len(data.open_dataset(tmp_path, "train")) == 4
    with pytest.raises(OptionError, match=r"splits train, test; say split="):
        data.image_folder(tmp_path)
    fill(tmp_path / second, d=1)
    with pytest.raises(DataError, match=r"class 'd' is not among those of .*train; add"):
        data.image_folder(tmp_path, "test")


def test_folders_that_hold_no_images_are_named(tmp_path):
    with pytest.raises(DataError, match=r"none: no such folder; name one"):
        data.image_folder(tmp_path / "none")
    with pytest.raises(DataError, match=r"no class folders in it; expected .*CLASS"):
        data.image_folder(tmp_path)
    fill(tmp_path, a=1)
    with pytest.raises(DataError, match="too few images for a test part; give"):
        data.image_folder(tmp_path, "test")
    with pytest.raises(OptionError, match="no split 'fit'; use one of train, test"):
        data.image_folder(tmp_path, "fit")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"class 'empty' is empty: no file ends in \.jpg.*add"):
        data.image_folder(tmp_path, "train")


def test_an_idx_folder_may_hold_other_folders(tmp_path):
    write_idx(tmp_path, "train", *some(4))
    (tmp_path / "docs").mkdir()
    assert data.open_dataset(tmp_path, "train").images.shape == (4, 6, 5, 1)


def test_a_bad_image_is_an_error_or_is_counted(tmp_path):
    fill(tmp_path, ".jpg", a=3, b=2)
    bad = truncate(save(tmp_path / "a" / "001.jpg", picture(0, 120, 160)))
    folder = data.image_folder(tmp_path)
    assert len(folder) == 5
    with pytest.raises(DataError, match=r"001\.jpg: cannot be read"):
        folder[1]
    seen = []
    kept = data.image_folder(tmp_path, skip_bad=True, progress=lambda *done: seen.append(done))
    assert (len(kept), kept.skipped, kept.bad_files) == (4, 1, [bad])
    assert kept.labels.tolist() == [0, 0, 1, 1]
    assert seen == [(k, 5) for k in range(1, 6)]
    assert data.open_dataset(tmp_path, "train", skip_bad=True).classes == ["a", "b"]
    for path in (tmp_path / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 2 images of class 'b' can be read"):
        data.image_folder(tmp_path, skip_bad=True)


def loader(folder, shape, **options):
    return data.Loader(folder, 4, input_shape=shape, mean=0.5, std=0.25, **options)


def test_a_loader_reads_a_folder_of_mixed_images(tmp_path):
    fill(tmp_path, a=2)
    save(tmp_path / "b" / "large.jpg", picture(9, 40, 30))
    save(tmp_path / "b" / "grey.png", picture(3)[..., 0])
    folder = data.image_folder(tmp_path)
    batches = loader(folder, (3, 12, 16))
    assert batches.messages == [
        "images of any size resized to 12x16, colour (aspect ratio not kept)"
    ]
    ((colour, labels),) = batches
    assert (colour.shape, labels.tolist()) == ((4, 3, 12, 16), [0, 0, 1, 1])
    np.testing.assert_allclose(
        colour[1], (picture(1).transpose(2, 0, 1) / 255 - 0.5) / 0.25, rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(colour[2][0], colour[2][2])  # grey.png
    ((grey, _),) = loader(folder, (1, 12, 16))
    assert grey.shape == (4, 1, 12, 16)
    for path, one, three in zip(folder.paths, grey, colour, strict=True):
        for expected in (one, three):
            shape = (len(expected), 12, 16)
            alone = data.load_image(path, shape, 0.5, 0.25)
            assert (alone.shape, alone.dtype) == ((1, *shape), np.float32)
            np.testing.assert_array_equal(alone[0], expected)


def test_a_loader_says_how_many_images_were_left_out_and_which_is_bad(tmp_path):
    fill(tmp_path, ".jpg", a=3)
    truncate(save(tmp_path / "a" / "002.jpg", picture(0, 120, 160)))
    kept = loader(data.image_folder(tmp_path, skip_bad=True), (1, 6, 6))
    assert kept.messages[-1] == "unreadable images left out: 1"
    assert sum(len(labels) for _, labels in kept) == 2
    for workers in (0, 1):
        with pytest.raises(DataError, match=r"002\.jpg"):
            list(loader(data.image_folder(tmp_path), (1, 6, 6), workers=workers))
