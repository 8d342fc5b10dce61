"""The benchmark of reading images runs and compares the same work."""

import json

import numpy as np
import pytest
from test_data_images import picture, save

from gpuconv import data
from gpuconv.benchmarks import data_speed


@pytest.mark.slow
def test_images_are_read_by_all_three(tmp_path, capsys):
    for k in range(3):
        save(tmp_path / "a" / f"{k}.png", picture(k, 60, 90))
    data_speed.main([str(tmp_path), "--seconds", "0", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert list(rows) == [data_speed.RIVAL, data_speed.FILES, data_speed.PACKED]
    assert rows[data_speed.RIVAL]["times_the_rival"] == 1
    assert all(row["images_per_s"] > 0 for row in rows.values())


def test_the_rival_does_the_same_work(tmp_path):
    path = save(tmp_path / "a" / "0.png", picture(1, 60, 90))
    (image,) = data_speed.pillow([path])
    assert (image.shape, image.dtype) == ((224, 224, 3), np.uint8)
    whole = data.images.shorter(data.images.decode(path), 256)
    windows = [whole[:, left : left + 224] for left in range(whole.shape[1] - 223)]
    tops = [(top, window) for window in windows for top in range(33)]
    assert any(np.array_equal(window[top : top + 224], image) for top, window in tops)
