"""Files of weights: what other programs wrote arrives exactly, what is not right is named."""

import json

import numpy as np
import pytest
from hostile_weights import in_zip, tensor
from make_torch_files import DATA, values

import gpuconv as gcv
from gpuconv import layers
from gpuconv.errors import OptionError, RunError, WeightsError
from gpuconv.weights import metadata

FORMATS = ("zip", "legacy")


def same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == array.tobytes(), name  # of -0 and infinity, too


def net():
    return gcv.Sequential(layers.Conv2d(1, 2, 3), layers.BatchNorm2d(2)).initialize(1)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("module.w", "w"),
        ("_orig_mod.module.w", "w"),
        ("module._orig_mod.w", "w"),
        ("model.w", "model.w"),
    ],
)
def test_what_wrappers_put_before_names_is_taken_off(tmp_path, name, found):
    content = tensor().replace(b"S'w'", f"S'{name}'".encode())
    (tmp_path / "w").write_bytes(in_zip(content, {"0": bytes(8)}))
    assert list(gcv.load(tmp_path / "w")) == [found]


@pytest.mark.parametrize("format_", FORMATS)
def test_every_dtype_view_and_parameter_of_pytorch_arrives_exactly(format_):
    found = gcv.load(DATA / f"torch_tensors_{format_}.pth")
    same(found, values())
    assert found["part"] is found["tied"]
    assert not np.shares_memory(found["part"], found["transposed"])
    for array in found.values():
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.dtype.isnative


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("file", ["state", "checkpoint"])
def test_a_net_of_pytorch_is_loaded(format_, file):
    ours = net()
    ours.load_state_dict(gcv.load(DATA / f"torch_{file}_{format_}.pth"))
    for number, value in enumerate(ours.state_dict().values()):
        np.testing.assert_array_equal(value.ravel(), np.arange(value.size) + number)


@pytest.mark.parametrize("format_", FORMATS)
def test_an_entry_is_chosen_by_key(format_):
    path = DATA / f"torch_checkpoint_{format_}.pth"
    assert list(gcv.load(path, key="state_dict")) == list(gcv.load(path))
    with pytest.raises(WeightsError, match="no entry 'ema'; there are 'epoch', 'best', 'arch'"):
        gcv.load(path, key="ema")
    with pytest.raises(WeightsError, match="no tensors by name but 'state', 'param_groups'"):
        gcv.load(path, key="optimizer")


def test_a_whole_model_is_refused_by_its_name():
    path = DATA / "torch_model_zip.pth"
    name = r"'torch\.nn\.modules\.container\.Sequential': code, not a tensor, and it was not run"
    with pytest.raises(WeightsError, match=rf"{path.name}: .*{name}.*state_dict"):
        gcv.load(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ""])
def test_what_is_saved_is_loaded(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    gcv.save(path, values())
    found = gcv.load(path)
    same({name: found[name] for name in values()}, values())
    gcv.save(path, net())
    found = gcv.load(path)
    same({name: found[name] for name in net().state_dict()}, net().state_dict())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_safetensors_keep_metadata(tmp_path):
    gcv.save(tmp_path / "w.safetensors", net(), metadata={"from": "there"})
    assert metadata(tmp_path / "w.safetensors") == {"from": "there"}
    gcv.save(tmp_path / "w.npz", net())
    assert metadata(tmp_path / "w.npz") == {}


def test_what_is_said_has_one_order_and_so_the_file_the_same_bytes(tmp_path):
    path, words, files = tmp_path / "w", {"ß": '\n"', "b": "2", "a": "1", "c": "3"}, set()
    for _ in range(8):
        gcv.save(path, values(), metadata=words)
        files.add(path.read_bytes())
    assert len(files) == 1
    assert metadata(path) == words
    found = gcv.load(path)
    same({name: found[name] for name in values()}, values())
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


@pytest.mark.parametrize(
    ("name", "given", "said", "text"),
    [
        ("w.pth", {}, None, r"w\.pth ends in \.pth; expected \.safetensors or \.npz"),
        ("w", [1], None, r"expected a net or a dict of arrays by name, got \[1\]"),
        ("w", {1: np.ones(2)}, None, "expected a net or a dict of arrays"),
        ("w", {}, {"a": 1}, "metadata must be strings by name"),
        ("w", {}, "a", "metadata must be strings by name"),
        ("w.npz", {}, {"a": "b"}, r"\.npz keeps no metadata"),
    ],
)
def test_what_cannot_be_saved_writes_nothing(tmp_path, name, given, said, text):
    with pytest.raises(OptionError, match=f"^save: .*{text}"):
        gcv.save(tmp_path / name, given, metadata=said)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError, match=r"no/w: cannot be written"):
        gcv.save(tmp_path / "no" / "w", net())


def test_a_run_folder_and_its_checkpoint_are_loaded(tmp_path):
    from gpuconv.training.checkpoint import CHECKPOINT, Run

    ours = net()
    info = {"model": {}, "data": "mnist", "classes": []}
    run = Run.create(tmp_path / "run", json.loads(json.dumps(info)))
    run.save(ours)
    run.checkpoint(ours, gcv.SGD(ours.parameters(), lr=0.1, momentum=0.9))
    for path in (run.folder, run.folder / CHECKPOINT):
        found = gcv.load(path)
        same({name: found[name] for name in ours.state_dict()}, ours.state_dict())
        assert set(found) == set(ours.state_dict())
