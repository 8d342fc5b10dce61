"""The loader: batches, order, augmentation, conversion, the thread that works ahead."""

import gc
import threading
import traceback

import numpy as np
import pytest

from gpuconv import data
from gpuconv.data.prefetch import THREAD_NAME, prefetch
from gpuconv.errors import DataError, OptionError, ShapeError
from gpuconv.random import AUGMENT, SHUFFLE, Stream


def pixels(*shape: int) -> np.ndarray:
    return Stream(1).words(int(np.prod(shape))).astype(np.uint8).reshape(shape)


def dataset(count: int = 23, size: tuple[int, int] = (6, 5), channels: int = 1):
    labels = np.arange(count) % 10
    return data.ArrayDataset("toy", pixels(count, *size, channels), labels, "0123456789")


def loader(source=None, batch_size: int = 4, shape=(1, 6, 5), mean=0.0, std=1.0, **options):
    source = dataset() if source is None else source
    return data.Loader(source, batch_size, input_shape=shape, mean=mean, std=std, **options)


def whole(batches) -> tuple[np.ndarray, np.ndarray]:
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_whole_contiguous_and_in_order(workers):
    batches = loader(workers=workers)
    assert len(batches) == 6
    for images, labels in batches:
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        assert images.flags.c_contiguous
        assert images.shape[1:] == (1, 6, 5)
    images, labels = whole(batches)
    np.testing.assert_array_equal(labels, batches.dataset.labels)
    expected = batches.dataset.images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(images, expected)
    assert batches.messages == []


def test_drop_last_leaves_whole_batches():
    batches = loader(drop_last=True)
    assert [len(labels) for _, labels in batches] == [4] * 5 == [4] * len(batches)
    with pytest.raises(
        OptionError, match="drop_last leaves no batch: batch_size 24 but toy has 23"
    ):
        loader(batch_size=24, drop_last=True)


def test_the_statistics_are_per_channel():
    source = dataset(channels=3)
    mean, std = [0.1, 0.2, 0.3], [0.5, 1.0, 2.0]
    images, _ = whole(loader(source, shape=(3, 6, 5), mean=mean, std=std))
    for c in range(3):
        expected = (source.images[..., c] / 255 - mean[c]) / std[c]
        np.testing.assert_allclose(images[:, c], expected, rtol=0, atol=1e-6)


def test_the_epoch_and_the_seed_choose_the_order():
    batches = loader(shuffle=True, seed=5)
    first = whole(batches)
    order = Stream(5, 0, SHUFFLE).permutation(23)
    np.testing.assert_array_equal(first[1], batches.dataset.labels[order])
    np.testing.assert_array_equal(first[0], whole(batches)[0])
    batches.set_epoch(1)
    assert batches.epoch == 1
    second = whole(batches)
    assert (second[0] != first[0]).any()
    assert sorted(second[1]) == sorted(first[1])
    assert (whole(loader(shuffle=True, seed=6))[0] != first[0]).any()


def test_an_iteration_keeps_the_epoch_it_began_with():
    batches = loader(shuffle=True)
    expected = whole(batches)[1]
    running = iter(batches)
    batches.set_epoch(3)
    np.testing.assert_array_equal(whole(running)[1], expected)


def test_a_negative_epoch_is_refused():
    with pytest.raises(OptionError, match="Loader: epoch must be an integer >= 0, got -1"):
        loader().set_epoch(-1)


def by_sample(batches) -> np.ndarray:
    """The images in the dataset's order, whatever the order of the epoch."""
    order = Stream(batches.seed, batches.epoch, SHUFFLE).permutation(len(batches.dataset))
    return whole(batches)[0][np.argsort(order)]


@pytest.mark.parametrize("batch_size", [1, 7, 23])
def test_augmentation_depends_on_the_sample_and_not_on_the_batch(batch_size):
    steps = [data.random_shift(2), data.random_flip()]
    source = dataset()
    plain, moved = (
        loader(source, size, shuffle=True, augment=steps, seed=2) for size in (4, batch_size)
    )
    expected = by_sample(plain)
    np.testing.assert_array_equal(by_sample(moved), expected)
    moved.shuffle = False
    np.testing.assert_array_equal(whole(moved)[0], expected)
    moved.set_epoch(1)
    assert (whole(moved)[0] != expected).any()
    assert (expected != by_sample(loader(source, shuffle=True, seed=2))).any()


def test_each_augmentation_draws_from_its_own_stream():
    drawn = []

    def look(images, words):
        drawn.append(words)
        return images

    whole(loader(batch_size=23, augment=[look, look], seed=4, workers=0))
    for number, words in enumerate(drawn):
        expected = Stream(4, 0, AUGMENT + number).words(92).reshape(23, 4)
        np.testing.assert_array_equal(words, expected)


@pytest.mark.parametrize(
    ("channels", "shape", "messages"),
    [
        (1, (1, 8, 9), ["images 6x5x1 resized to 8x9"]),
        (1, (3, 6, 5), ["grey repeated to 3 channels"]),
        (3, (1, 6, 5), ["colour turned to grey (ITU-R 601 luma)"]),
        (1, (3, 3, 3), ["images 6x5x1 resized to 3x3", "grey repeated to 3 channels"]),
        (3, (1, 8, 9), ["images 6x5x3 resized to 8x9", "colour turned to grey (ITU-R 601 luma)"]),
        (4, (4, 6, 5), []),
    ],
)
def test_images_are_made_to_fit_and_it_is_said(channels, shape, messages):
    batches = loader(dataset(channels=channels), shape=shape)
    assert batches.messages == messages
    assert whole(batches)[0].shape == (23, *shape)


class Listed:
    """A dataset of a user's own."""

    name = "listed"

    def __init__(self, samples, classes=("a", "b")):
        self.samples = samples
        self.classes = list(classes)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


class Nameless:
    """What is documented and nothing more: len, [i] and classes."""

    def __init__(self, *samples):
        self.samples, self.classes = samples, ["a", "b"]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


@pytest.mark.parametrize("kind", [Nameless, lambda *samples: Listed(samples)])
def test_any_dataset_of_the_documented_form_will_do(kind):
    samples = (pixels(4, 5, 3), 1), (pixels(7, 7, 1), np.uint8(0))
    ((images, labels),) = loader(kind(*samples))
    assert (images.shape, labels.tolist()) == ((2, 1, 6, 5), [1, 0])


def test_a_dataset_without_a_name_is_called_by_its_type():
    with pytest.raises(DataError, match="Nameless: sample 0 has label 2 but"):
        list(loader(Nameless((pixels(6, 5, 1), 2))))
    with pytest.raises(DataError, match="Nameless: the dataset has no samples"):
        loader(Nameless())


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ((pixels(6, 5, 1), 2), "sample 1 has label 2 but there are 2 classes"),
        ((pixels(6, 5, 1), -1), "sample 1 has label -1"),
        ((pixels(6, 5), 0), r"sample 1 is uint8 \(6, 5\), expected a uint8 array \(H, W, C\)"),
        ((pixels(6, 5, 1).astype(float), 0), "sample 1 is float64"),
        (("image", 0), "sample 1 is <class 'str'>"),
        ((pixels(6, 5, 1), 0.7), "sample 1 is .*'float'.*, expected an image and a class number"),
        ((pixels(6, 5, 1), "a"), "sample 1 is .*'str'"),
        ((pixels(6, 5, 1),), "sample 1 is .*expected an image and a class number"),
        (pixels(6, 5, 1), "sample 1 is <class 'numpy.ndarray'>"),
    ],
)
def test_a_bad_sample_is_named(sample, message):
    good = (pixels(6, 5, 1), 0)
    with pytest.raises(DataError, match=f"listed: {message}"):
        list(loader(Listed([good, sample]), shuffle=True))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, OptionError, "batch_size must be an integer >= 1, got 0"),
        ({"seed": -1}, OptionError, "seed"),
        ({"workers": -1}, OptionError, "workers must be an integer >= 0, got -1"),
        ({"shape": (6, 5)}, OptionError, r"input_shape must be \(C, H, W\)"),
        ({"shape": (1, 0, 5)}, OptionError, "input_shape: H"),
        ({"shape": (1, 6, 5), "std": 0}, OptionError, "std must be positive"),
        ({"mean": [0.1, 0.2]}, OptionError, "mean must be .* for each of 1 channels"),
        ({"mean": "dark"}, OptionError, "mean must be a finite number"),
        ({"std": float("nan")}, OptionError, "std must be a finite number"),
        ({"augment": [3]}, OptionError, "augment must be callable .*got 3"),
        ({"source": Listed([])}, DataError, "listed: the dataset has no samples"),
        ({"source": dataset(channels=4), "shape": (3, 6, 5)}, ShapeError, "4 channels .*takes 3"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        loader(**options)


def test_one_batch_is_made_ahead_and_no_more():
    made = []
    second = threading.Event()

    def make(item):
        made.append(item)
        if item == 1:
            second.set()
        return item

    running = prefetch(make, range(5))
    assert next(running) == 0
    assert second.wait(30)
    assert made == [0, 1]
    assert list(running) == [1, 2, 3, 4]


@pytest.mark.parametrize("how", ["exhausted", "closed", "dropped", "raised"])
def test_no_thread_is_left_when_an_iteration_ends(how):
    source = Listed([(pixels(6, 5, 1), 0)] * 9 + [(None, 0)] * (how == "raised"))
    running = iter(loader(source, batch_size=1))
    next(running)
    assert len(prefetch_threads()) == 1
    if how == "exhausted":
        list(running)
    elif how == "raised":
        with pytest.raises(DataError, match="sample 9"):
            list(running)
    elif how == "closed":
        running.close()
    del running
    gc.collect()
    assert prefetch_threads() == []


def test_a_thread_is_used_only_when_it_is_wanted():
    running = iter(loader(workers=0))
    next(running)
    assert prefetch_threads() == []


def test_an_error_of_the_thread_keeps_its_traceback():
    def broken_on_purpose(images, words):
        raise RuntimeError("from the augmentation")

    with pytest.raises(RuntimeError, match="from the augmentation") as caught:
        list(loader(augment=broken_on_purpose))
    assert "broken_on_purpose" in "".join(traceback.format_tb(caught.value.__traceback__))
    del caught
