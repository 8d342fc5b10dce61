"""The small digits that come with the package, and the script that made them."""

import gzip
import zipfile
from hashlib import sha256

import numpy as np
import pytest

from gpuconv import data
from gpuconv.data import embedded, make_optdigits
from gpuconv.errors import DataError, OptionError


def test_the_embedded_file_is_the_one_that_was_made():
    assert sha256(embedded.OPTDIGITS.read_bytes()).hexdigest() == embedded.OPTDIGITS_SHA256
    folder = embedded.OPTDIGITS.parent
    assert embedded.OPTDIGITS_SHA256 in (folder / "README.md").read_text(encoding="utf-8")
    licence = (folder / "LICENSE").read_text(encoding="utf-8")
    assert all(word in licence for word in ("CC BY 4.0", "E. Alpaydin", "scikit-learn developers"))


def test_the_digits_and_their_splits():
    parts = [data.optdigits("train"), data.optdigits("test")]
    assert [len(part) for part in parts] == [1297, 500]
    images = np.concatenate([part.images for part in parts])
    assert images.shape == (1797, 8, 8, 1)
    assert set(np.unique(images)) == {round(v * 255 / 16) for v in range(17)}
    counts = np.bincount(np.concatenate([part.labels for part in parts]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images[0, 0, :, 0].tolist() == [0, 0, 80, 207, 143, 16, 0, 0]


def test_another_split_or_a_damaged_file_is_refused(monkeypatch, tmp_path):
    with pytest.raises(OptionError, match="optdigits: no split 'all'; use one of train, test"):
        data.optdigits("all")
    (tmp_path / "digits").write_bytes(embedded.OPTDIGITS.read_bytes()[:-1])
    monkeypatch.setattr(embedded, "OPTDIGITS", tmp_path / "digits")
    with pytest.raises(DataError, match=f"damaged: .* expected {embedded.OPTDIGITS_SHA256}"):
        data.optdigits("test")


def wheel(path, text):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(make_optdigits.MEMBER, gzip.compress(text.encode()))
    return path


def test_the_script_reads_a_wheel(tmp_path, capsys):
    row = [*(k % 17 for k in range(64)), 7]
    line = ",".join(f"{v}.000000000000000000e+00" for v in row)
    made = wheel(tmp_path / "made.whl", f"{line}\n{line}\n")
    make_optdigits.main([str(made), "--out", str(tmp_path / "out.npz")])
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["images"].reshape(2, 64).tolist() == [row[:64]] * 2
        assert arrays["labels"].tolist() == [7, 7]
    assert "expected" in capsys.readouterr().out


@pytest.mark.parametrize("row", ["1,2,3", ",".join(["17"] * 65), ",".join(["0.5"] * 65)])
def test_the_script_refuses_other_files(tmp_path, row):
    with pytest.raises(DataError, match="expected 64 values 0 to 16 and a label"):
        make_optdigits.read_wheel(wheel(tmp_path / "other.whl", row + "\n"))
    with pytest.raises(DataError, match="give scikit-learn's wheel"):
        make_optdigits.read_wheel(tmp_path / "missing.whl")
