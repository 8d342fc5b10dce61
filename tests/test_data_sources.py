"""Binary CIFAR, tar shards, what is odd in real files, and measuring a data set."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from command_line import fail, succeed
from PIL import Image
from test_data_images import ORIENTATION, fill, picture, save, truncate

from gpuconv import data
from gpuconv.data import images
from gpuconv.data.measure import Moments, measure
from gpuconv.errors import DataError, OptionError
from gpuconv.random import Stream


def write_cifar(root: Path, labels: int, files: dict[str, int], names: str) -> np.ndarray:
    """Records of random bytes with labels 0, 1, ...; all of them, in the order of the files."""
    total = sum(files.values())
    records = Stream(3).words(total * (labels + 3072)).astype(np.uint8).reshape(total, -1)
    records[:, :labels] = np.arange(total)[:, None] % 3
    start = 0
    for name, count in files.items():
        (root / name).write_bytes(records[start : start + count].tobytes())
        start += count
    (root / names).write_text("cat\ndog\nfrog\n\n")
    return records


def test_cifar_10_is_read_plane_by_plane(tmp_path):
    files = {f"data_batch_{k}.bin": 2 for k in range(1, 6)} | {"test_batch.bin": 3}
    records = write_cifar(tmp_path, 1, files, "batches.meta.txt")
    train, test = (data.open_dataset(tmp_path, split) for split in ("train", "test"))
    assert (train.name, train.classes, len(train), len(test)) == (
        "cifar-10",
        ["cat", "dog", "frog"],
        10,
        3,
    )
    image, label = train[4]
    assert label == 1
    for c in range(3):
        plane = records[4, 1 + 1024 * c : 1025 + 1024 * c].reshape(32, 32)
        np.testing.assert_array_equal(image[..., c], plane)
    with pytest.raises(OptionError, match="no split 'val'; use one of train, test"):
        data.cifar(tmp_path, "val")
    (tmp_path / "data_batch_3.bin").write_bytes(b"x" * 3072)
    with pytest.raises(DataError, match=r"data_batch_3\.bin: 3072 bytes, .*multiple of 3073"):
        data.cifar(tmp_path, "train")
    (tmp_path / "data_batch_2.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_2\.bin: cannot be read"):
        data.cifar(tmp_path, "train")


def test_cifar_100_takes_the_fine_label(tmp_path):
    records = write_cifar(tmp_path, 2, {"train.bin": 4, "test.bin": 1}, "fine_label_names.txt")
    records[:, 0] = 19  # coarse: there are 20, and only three names here
    (tmp_path / "train.bin").write_bytes(records[:4].tobytes())
    assert data.cifar(tmp_path, "train").labels.tolist() == [0, 1, 2, 0]
    (tmp_path / "fine_label_names.txt").write_text("cat dog")
    with pytest.raises(DataError, match="sample 2 has label 2 but there are 2 classes"):
        data.cifar(tmp_path, "train")


def encoded(pixels: np.ndarray, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def numbered(start: int, count: int) -> dict[str, bytes]:
    """Samples 000.png, 000.cls, ... of three classes."""
    members = {}
    for k in range(start, start + count):
        members |= {f"{k:03}.png": encoded(picture(k)), f"{k:03}.cls": f"{k % 3}\n".encode()}
    return members


def test_tar_shards(tmp_path):
    write_tar(tmp_path / "train-0.tar", numbered(0, 4) | {"._x.png": b"", "note.json": b"{}"})
    with pytest.raises(DataError, match=r"train-0\.tar: sample note has no image"):
        data.tar_shards(tmp_path)
    write_tar(tmp_path / "train-0.tar", numbered(0, 4))
    write_tar(tmp_path / "train-1.tar", numbered(4, 3))
    write_tar(tmp_path / "val-0.tar", numbered(7, 2))
    (tmp_path / "classes.txt").write_text("Äpfel\nb\nc\n", encoding="utf-8")
    train, test = (data.open_dataset(tmp_path, split) for split in ("train", "test"))
    assert (train.classes, train.labels.tolist()) == (["Äpfel", "b", "c"], [0, 1, 2, 0, 1, 2, 0])
    assert test.labels.tolist() == [1, 2]
    for k in (0, 5):
        np.testing.assert_array_equal(train[k][0], picture(k))
    assert train.place(5).endswith("train-1.tar: 005.png")
    assert len(data.tar_shards(tmp_path)) == 9


def test_tar_shards_of_folders_are_split_as_folders_are(tmp_path):
    members = {f"set/{c}/{k}.v2.jpg": encoded(picture(k), "JPEG") for c in "ab" for k in range(10)}
    write_tar(tmp_path / "all.tar", {**members, "set/a/bad.png": b"no image"})
    train, test = (data.tar_shards(tmp_path, split) for split in ("train", "test"))
    assert (test.classes, test.labels.tolist()) == (["a", "b"], [0, 1])
    assert len(train) == 19
    whole = data.tar_shards(tmp_path)
    with pytest.raises(DataError, match=r"all\.tar: set/a/bad\.png: cannot be read as an image"):
        whole[20]


def test_tar_shards_that_are_broken_are_named(tmp_path):
    path = write_tar(tmp_path / "a.tar", numbered(0, 9))
    whole = path.read_bytes()
    for cut in (whole[:2000], whole[: len(whole) // 1024 * 512 + 100], whole[:1536]):
        path.write_bytes(cut)
        with pytest.raises(DataError, match=r"a\.tar: (cut short|no readable tar file)"):
            data.tar_shards(tmp_path)
    write_tar(path, {"a.png": encoded(picture()), "a.cls": b"cat", "b.png": b"", "b.cls": b"1"})
    with pytest.raises(
        DataError, match=r"some labels are names \(cat\) and some are numbers \(1\)"
    ):
        data.tar_shards(tmp_path)
    write_tar(path, {"a.png": encoded(picture())})
    with pytest.raises(DataError, match="sample a has no label: neither"):
        data.tar_shards(tmp_path)


def test_cmyk_animations_and_bombs_have_their_rules(tmp_path, monkeypatch):
    rgb = picture(0, 40, 60)
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95, subsampling=0)
    assert np.abs(images.decode(tmp_path / "cmyk.jpg").astype(int) - rgb).max() < 16
    frames = [Image.fromarray(picture(k)) for k in range(3)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(images.decode(tmp_path / "moving.png"), picture())
    assert images.kind(tmp_path / "moving.png") == "PNG RGB animated"
    assert images.kind(tmp_path / "cmyk.jpg") == "JPEG CMYK"
    monkeypatch.setattr(images, "MAX_PIXELS", 2399)
    with pytest.raises(DataError, match=r"cmyk\.jpg: .*60 x 40 pixels, more than 2,399"):
        images.decode(tmp_path / "cmyk.jpg")


def test_links_pipes_and_odd_names_in_a_folder(tmp_path):
    fill(tmp_path, **{"naïve ☃": 2})
    root = tmp_path / "naïve ☃"
    (root / "loop.png").symlink_to("loop.png")
    (root / "lost.png").symlink_to("nowhere.png")
    (root / "linked.png").symlink_to("000.png")
    (root / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "ring").symlink_to("ring", target_is_directory=True)
    os.mkfifo(root / "pipe.png")
    found = measure(data.image_folder(tmp_path))
    assert (found.classes, found.counts, len(found.bad)) == (["naïve ☃"], [3], 2)
    assert "loop.png" in found.bad[0]
    assert "lost.png: no such image" in found.bad[1]


def test_measuring_finds_what_there_is(tmp_path):
    fill(tmp_path, **{"Cat": 3, "cat ": 2, "dog": 1})
    save(tmp_path / "dog" / "grey.png", picture(0, 8, 8)[..., 0])
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    save(tmp_path / "dog" / "turned.jpg", picture(), exif=exif)
    (tmp_path / "cat " / "000.png").write_bytes(b"")
    truncate(save(tmp_path / "Cat" / "big.png", picture(0, 120, 160)))
    found = measure(data.image_folder(tmp_path))
    assert dict(zip(found.classes, found.counts, strict=True)) == {"Cat": 3, "cat ": 1, "dog": 3}
    assert (found.images, len(found.bad)) == (9, 2)
    assert found.kinds == {"PNG RGB": 5, "PNG L": 1, "JPEG RGB turned by EXIF": 1}
    assert sorted(set(zip(found.heights, found.widths, strict=True))) == [
        (8, 8),
        (12, 16),
        (16, 12),
    ]
    assert found.remarks() == [
        "class names 'Cat' and 'cat ' differ only in case, spaces or Unicode form",
        "1 classes with fewer than two readable images: cat ",
    ]
    assert measure(data.mnist("test"), sample=7).sampled == 7
    with pytest.raises(OptionError, match="sample"):
        measure(data.mnist("test"), sample=0)


def test_the_statistics_of_colour_are_those_of_all_pixels():
    stack = Stream(1).words(4 * 6 * 5 * 3).astype(np.uint8).reshape(4, 6, 5, 3)
    stack[..., 1] = stack[..., 0] // 2 + stack[..., 1] // 4
    moments = Moments()
    for image in stack:
        moments.add(image)
    found, pixels = moments.colours(), stack.reshape(-1, 3) / 255
    np.testing.assert_allclose(found.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, pixels.std(0), rtol=1e-12)
    covariance = np.cov(pixels.T, bias=True)
    rebuilt = found.eigenvectors @ np.diag(found.eigenvalues) @ found.eigenvectors.T
    np.testing.assert_allclose(rebuilt, covariance, rtol=0, atol=1e-12)
    assert (np.diff(found.eigenvalues) <= 0).all()


def test_the_command_measures(tmp_path):
    fill(tmp_path, ".jpg", a=4, b=3)
    for path in (tmp_path / "b").iterdir():
        path.write_bytes(b"")
    lines = succeed("data", tmp_path)
    assert lines[0] == f"data: {tmp_path.name} (train), 5 images"
    assert lines[-1] == "bad images: 2"
    assert any(line.startswith("bad: ") and "b/00" in line for line in lines)
    found = json.loads("".join(succeed("data", tmp_path, "--json", "--split", "train")))
    assert (sum(found["counts"]), found["sizes"]) == (3, {"12x16": 3})
    assert len(found["colours"]["eigenvectors"]) == 3
    assert "neither" in fail("data", tmp_path / "nowhere")
