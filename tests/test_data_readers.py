"""Reading in processes: the same bits, and nothing that leaks or hangs when one is killed."""

import gc
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from command_line import finish, start
from reader_sets import Broken, Deadly, Tiny
from test_data_images import fill, picture, save, truncate

from gpuconv import data
from gpuconv.errors import DataError, OptionError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
AUGMENT = [data.random_shift(2), data.random_flip()]


def loader(source, workers, **options):
    options = {"shuffle": True, "augment": AUGMENT, "seed": 3, **options}
    return data.Loader(
        source, 2, input_shape=(3, 6, 5), mean=0.0, std=1.0, workers=workers, **options
    )


def bits(batches):
    return [(images.tobytes(), labels.tolist()) for images, labels in batches]


def children() -> set[int]:
    """The processes that this one has started and that run."""
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in kids(task)}


def kids(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def test_processes_give_the_bits_of_one_thread():
    alone, two = (loader(Tiny(), workers) for workers in (0, 2))
    for epoch in (0, 5):
        for batches in (alone, two):
            batches.set_epoch(epoch)
        assert bits(alone) == bits(two)
    two._readers.close()


@pytest.mark.slow
def test_one_loader_is_iterated_twice_at_once_and_left_early():
    before, batches = children(), loader(Tiny(), 2)
    whole = bits(batches)
    pairs = list(zip(batches, batches, strict=True))
    assert bits(first for first, _ in pairs) == whole == bits(second for _, second in pairs)
    for _ in batches:
        break
    gc.collect()
    assert children() <= before | tracker()
    assert bits(batches) == whole
    del batches
    gc.collect()
    ended = time.monotonic() + 20
    while children() - before - tracker() and time.monotonic() < ended:
        time.sleep(0.01)
    assert children() - before <= tracker()


def tracker() -> set[int]:
    """The process that multiprocessing itself keeps."""
    from multiprocessing.resource_tracker import _resource_tracker

    return {_resource_tracker._pid} - {None}


@pytest.mark.slow
def test_a_process_that_is_killed_is_replaced(tmp_path):
    batches = loader(Deadly(tmp_path, 1, os.getpid()), 2)
    assert bits(batches) == bits(loader(Tiny(), 0))
    assert batches._readers.replaced == 1
    for reader in batches._readers.members:
        reader.process.kill()
    assert bits(batches) == bits(loader(Tiny(), 0))
    batches._readers.close()


@pytest.mark.slow
def test_a_batch_that_kills_twice_is_named(tmp_path):
    batches = loader(Deadly(tmp_path, 2, os.getpid()), 2, shuffle=False)
    with pytest.raises(DataError, match=r"two processes were killed .*sample 4, tiny: sample 5"):
        list(batches)
    assert not batches._readers.members


@pytest.mark.slow
def test_what_reading_raises_comes_in_its_turn(tmp_path):
    root = fill(tmp_path, a=9)
    truncate(save(root / "a" / "004.png", picture(0, 120, 160)))
    for source, message in (
        (data.image_folder(root), r"004\.png: cannot be read as an image"),
        (Broken(), r"tiny: sample 4, tiny: sample 5: cannot be read \(OSError"),
    ):
        batches, seen = loader(source, 2, shuffle=False), []
        with pytest.raises(DataError, match=message):
            seen.extend(batches)
        assert not batches._readers.members


def test_what_cannot_travel_is_said_at_once():
    batches = loader(Tiny(), 2, augment=lambda images, words: images)
    with pytest.raises(OptionError, match=r"must travel by pickle .*or use workers=1"):
        next(iter(batches))


@pytest.mark.slow
def test_a_parent_that_is_killed_leaves_no_process(tmp_path):
    fill(tmp_path / "images", ".jpg", a=40, b=40)
    process = start(
        "train", "lenet5", "--data", tmp_path / "images", "--epochs", 500, "--batch-size", 4,
        "--workers", 2, "--device", "cpu", "--out", tmp_path / "run",
    )  # fmt: skip
    mine: set[int] = set()
    while process.poll() is None and len(mine) < 3:  # two readers, and multiprocessing's tracker
        mine = {int(k) for t in Path(f"/proc/{process.pid}/task").iterdir() for k in kids(t)}
        time.sleep(0.05)
    while process.poll() is None and not (tmp_path / "run" / "metrics.jsonl").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    finish(process)  # returns when nobody holds its output any more
    ended = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in mine) and time.monotonic() < ended:
        time.sleep(0.05)
    assert len(mine) == 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)
