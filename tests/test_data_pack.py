"""Packed images: what is packed, what is checked, and that packing goes on where it was killed."""

import json
import os
import pickle
import signal
import time

import numpy as np
import pytest
from command_line import fail, finish, start, succeed
from test_data_images import fill, picture, save, truncate

from gpuconv import data
from gpuconv.data import packed
from gpuconv.data.images import middle
from gpuconv.data.measure import measure
from gpuconv.errors import DataError, OptionError


@pytest.fixture
def source(tmp_path):
    """Nine images of two classes and several sizes, one of them broken."""
    root = tmp_path / "source"
    fill(root, cat=4, dog=3)
    save(root / "dog" / "grey.png", picture(3, 30, 20)[..., 0])
    save(root / "dog" / "long.png", picture(5, 12, 47))
    truncate(save(root / "cat" / "002.png", picture(0, 120, 160)))
    return root


def opened(root):
    return {"train": data.image_folder(root)}


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def packing(source, tmp_path):
    """Packed into three shards of four images of 10 x 10."""
    folder = tmp_path / "packed"
    data.pack(opened(source), folder, side=10, shard_images=4, processes=1)
    return folder


def test_packed_images_are_the_middles(source, packing):
    images = data.PackedImages(packing, "train")
    assert (images.classes, images.labels.tolist()) == (["cat", "dog"], [0] * 3 + [1] * 5)
    assert (len(images), images.skipped) == (8, 1)
    assert "002.png: cannot be read" in images.bad[0]
    folder = data.image_folder(source, skip_bad=True)
    for k, (image, label) in enumerate(folder[k] for k in range(8)):
        expected = np.repeat(middle(image, 10, 10, 10), 3 // image.shape[2], axis=2)
        np.testing.assert_array_equal(images[k][0], expected)
        assert images[k][1] == label
    np.testing.assert_array_equal(images[-1][0], images[7][0])
    with pytest.raises(IndexError):
        images[8]
    again = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(again[7][0], images[7][0])
    assert len(pickle.dumps(images)) < 3000


def test_few_maps_are_open_at_a_time(packing, monkeypatch):
    monkeypatch.setattr(packed, "_OPEN", 1)
    images = data.PackedImages(packing, "train")
    first = [images[k][0].copy() for k in range(8)]
    for k in (7, 0, 4):
        np.testing.assert_array_equal(images[k][0], first[k])
    assert len(images._maps) == 1


def test_packing_goes_on_with_what_is_missing(source, packing):
    whole = contents(packing)
    for name in ("train-00000.u8", "train-00002.json"):
        (packing / name).unlink()
    truncate(packing / "train-00001.u8")
    times = []
    for path in packing.iterdir():
        os.utime(path, (1, 1))
    data.pack(
        opened(source),
        packing,
        side=10,
        shard_images=4,
        processes=1,
        progress=lambda *done: times.append(done),
    )
    assert times == [(1, 3), (2, 3), (3, 3)]
    assert contents(packing) == whole
    times.clear()
    (packing / "train-00001.json").unlink()
    os.utime(packing / "train-00000.u8", (1, 1))
    data.pack(opened(source), packing, side=10, shard_images=4, processes=1)
    assert (packing / "train-00000.u8").stat().st_mtime == 1
    assert contents(packing) == whole


def test_a_folder_with_something_else_is_left_alone(source, packing, tmp_path):
    before = contents(packing)
    for options in ({"side": 11}, {"shard_images": 5}, {"channels": 1}):
        with pytest.raises(DataError, match="holds another packing"):
            data.pack(opened(source), packing, **{"side": 10, "shard_images": 4, **options})
    save(source / "dog" / "new.png", picture(8))
    with pytest.raises(DataError, match="holds another packing"):
        data.pack(opened(source), packing, side=10, shard_images=4)
    assert contents(packing) == before
    with pytest.raises(DataError, match="is no packed folder and not empty"):
        data.pack(opened(source), source)
    for options in ({"side": 0}, {"channels": 2}, {"shard_images": 0}, {"processes": 0}):
        with pytest.raises(OptionError):
            data.pack(opened(source), tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
    with pytest.raises(DataError, match=r"takes up to [\d.]+ GB and [\d.]+ GB are free"):
        data.pack(opened(source), tmp_path / "new", side=3_000_000)


def damage(path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_damaged_shards_are_named(packing):
    damage(packing / "train-00001.u8", 10 * 10 * 3 + 7)
    images = data.PackedImages(packing, "train")
    assert len([images[k] for k in range(4)]) == 4
    with pytest.raises(DataError, match=r"train-00001\.u8: image 1: its bytes have changed"):
        images[4]
    found = measure(images)
    assert len(found.bad) == 1
    truncate(packing / "train-00001.u8")
    with pytest.raises(DataError, match=r"train-00001\.u8: cut short: 600 bytes, expected 1200"):
        data.open_dataset(packing, "train")
    (packing / "train-00001.u8").unlink()
    with pytest.raises(DataError, match=r"train-00001\.u8: cannot be read"):
        data.open_dataset(packing, "train")
    (packing / "train-00000.json").write_text("{}")
    with pytest.raises(DataError, match=r"train-00000\.json: no record of a shard"):
        data.open_dataset(packing, "train")
    (packing / "index.json").write_text(json.dumps({"format": packed.FORMAT}))
    with pytest.raises(DataError, match=r"index\.json: no index of gpuconv pack"):
        data.open_dataset(packing, "train")


def test_a_packing_that_has_not_ended_is_not_trained_on(source, packing):
    index = packing / "index.json"
    index.write_text(index.read_text().replace('"complete": true', '"complete": false'))
    with pytest.raises(DataError, match="packing has not ended; run the same gpuconv pack again"):
        data.open_dataset(packing, "train")
    data.pack(opened(source), packing, side=10, shard_images=4)
    assert len(data.open_dataset(packing, "train")) == 8
    with pytest.raises(OptionError, match="no split 'test'; use one of train"):
        data.open_dataset(packing, "test")


def test_images_that_cannot_be_packed(tmp_path):
    fill(tmp_path / "source", a=2)
    for path in (tmp_path / "source" / "a").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="no image of train in source can be read"):
        data.pack(opened(tmp_path / "source"), tmp_path / "out", processes=1)
    with pytest.raises(DataError, match="would become 4096000 x 256, more than"):
        middle(np.zeros((2, 32000, 1), np.uint8), 256, 256, 256)


def test_the_command_packs_trains_and_survives_a_kill(tmp_path):
    fill(tmp_path / "source", **dict.fromkeys("ab", 60))
    truncate(save(tmp_path / "source" / "a" / "000.png", picture(0, 120, 160)))
    command = ["pack", tmp_path / "source", tmp_path / "out", "--shard-images", 4, "--side", 240]
    process = start(*command, "--processes", 2)
    while not list(tmp_path.glob("out/train-*.json")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    finish(process)
    lines = succeed(*command, "--processes", 1)
    assert lines[0].startswith("left out: ")
    assert lines[1] == (
        f"packed: {tmp_path / 'out'}: 107 train, 12 test images of 240x240x3, 20.6 MB"
    )
    assert lines[2] == "unreadable images left out: 1"
    alone = tmp_path / "alone"
    succeed(*command[:2], alone, *command[3:], "--processes", 1)
    assert contents(tmp_path / "out") == contents(alone)
    quick = ["--max-steps", 2, "--device", "cpu", "--batch-size", 8]
    trained = succeed("train", "lenet5", "--data", alone, *quick, "--out", tmp_path / "run")
    assert "data: unreadable images left out: 1" in trained
    assert "neither" in fail("pack", tmp_path / "nowhere", tmp_path / "x")
