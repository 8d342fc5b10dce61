"""Changed files of weights, at random: each is loaded or refused with one error of ours."""

import builtins
import json
import os
import struct
import subprocess
import tracemalloc
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hostile_weights import in_zip, legacy, mutant, sound, tensor
from house_rules import ROOT
from make_torch_files import values
from test_weights_hostile import MOST, executed

import gpuconv as gcv
from gpuconv.errors import WeightsError

RESULT = Path(__file__).with_name("weights_fuzz.json")


def outcomes(path, files, seeds):
    """How many mutants were loaded and how many refused; anything else raises."""
    names, counts = sorted(files), {"loaded": 0, "refused": 0}
    for seed in seeds:
        content = mutant(files[names[seed % len(names)]], seed)
        path.write_bytes(content)
        try:
            found = gcv.load(path)
        except WeightsError:
            counts["refused"] += 1
            continue
        counts["loaded"] += 1
        assert all(type(array) is np.ndarray for array in found.values()), seed
        assert sum(array.nbytes for array in found.values()) <= MOST, seed
    return counts


def all_formats(tmp_path):
    files = dict(sound())
    for suffix in (".npz", ".safetensors"):
        gcv.save(tmp_path / f"w{suffix}", values())
        files[suffix] = (tmp_path / f"w{suffix}").read_bytes()
    return files


@pytest.fixture
def guarded(monkeypatch):
    monkeypatch.setattr(os, "system", executed)
    monkeypatch.setattr(builtins, "eval", executed)
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST


def test_mutants_are_loaded_or_refused(tmp_path, guarded):
    found = outcomes(tmp_path / "w", all_formats(tmp_path), range(300))
    assert min(found.values()) >= 10, found


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_many_mutants_are_loaded_or_refused(tmp_path, guarded):
    """Writes tests/weights_fuzz.json."""
    found = outcomes(tmp_path / "w", all_formats(tmp_path), range(300, 10_300))
    assert min(found.values()) >= 100, found
    said = {
        "commit": git("rev-parse", "HEAD"),
        "date": date.today().isoformat(),
        "command": ".venv/bin/pytest -m exhaustive tests/test_weights_fuzz.py",
        "files": sorted(all_formats(tmp_path)),
        "mutants": sum(found.values()),
        **found,
        "peak bytes": tracemalloc.get_traced_memory()[1],
    }
    RESULT.write_text(json.dumps(said, indent=1) + "\n")


def git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_last_long_run_was_whole():
    said = json.loads(RESULT.read_text())
    assert said["mutants"] == said["loaded"] + said["refused"] == 10_000
    assert said["peak bytes"] < MOST


@pytest.mark.parametrize("kind", ["zip", "legacy", "npz"])
def test_reading_takes_little_more_memory_than_the_arrays(tmp_path, kind):
    size, path = 2**22, tmp_path / "w"
    content = np.arange(size, dtype=np.float32)
    pickled = tensor(f"(I{size}\nt", numel=f"I{size}\n")
    if kind == "npz":
        np.savez(tmp_path / "w.npz", w=content)
        path = tmp_path / "w.npz"
    elif kind == "zip":
        path.write_bytes(in_zip(pickled, {"0": content.tobytes()}))
    else:
        keys = b"(lS'0'\na." + struct.pack("<Q", size)
        path.write_bytes(legacy(pickled, keys + content.tobytes()))
    tracemalloc.start()
    found = gcv.load(path)["w"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, content)
    assert found.flags.writeable
    assert peak < 1.5 * content.nbytes
