"""No file of weights runs anything, takes memory for a claim, or fails in another way than ours."""

import builtins
import io
import os
import pickle
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from hostile_weights import PLANTED, in_zip, legacy, tensor
from make_torch_files import DATA

import gpuconv as gcv
from gpuconv.errors import WeightsError
from gpuconv.weights import machine, torch_zip

MOST = 2**27  # bytes that reading a file of a few KB may take; a deflated one may grow to 2**26


def executed(*arguments, **named):
    raise AssertionError(f"executed: {arguments}")


@pytest.fixture
def refuse(tmp_path, monkeypatch):
    """Load these bytes, which must give one WeightsError, run nothing and take little memory."""

    path = tmp_path / "w"
    monkeypatch.setattr(os, "system", executed)
    monkeypatch.setattr(builtins, "eval", executed)

    def loaded(content):
        path.write_bytes(content)
        tracemalloc.start()
        try:
            with pytest.raises(WeightsError) as caught:
                gcv.load(path)
            assert tracemalloc.get_traced_memory()[1] < MOST
        finally:
            tracemalloc.stop()
        text = str(caught.value)
        assert text.startswith(f"{path}: ")
        assert len(text) < 600
        assert text.isprintable()
        return text

    return loaded


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("wrap", [legacy, in_zip])
def test_planted_code_is_refused_by_name_and_not_run(refuse, name, wrap):
    text = refuse(wrap(b"\x80\x02(X\x01\x00\x00\x00w" + PLANTED[name] + b"d."))
    assert f"the name '{name}': code, not a tensor, and it was not run" in text


def test_code_in_every_pickle_of_the_legacy_format_is_refused(refuse):
    planted = b"\x80\x02" + PLANTED["os.system"] + b"."
    for number in range(5):
        parts = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {}, {}, [])]
        parts[3] = tensor()
        parts[number] = planted
        text = refuse(b"".join(parts))
        assert "os.system" in text


def test_the_classes_of_this_process_are_refused(refuse):
    class Local:
        def __reduce__(self):
            return os.unlink, ("x",)

    assert f"{os.name}.unlink" in refuse(in_zip(pickle.dumps({"w": Local()})))
    assert "numpy" in refuse(in_zip(pickle.dumps({"w": np.ones(3)})))


LARGE = "I4294967296\n"
CLAIMS = {
    "four gigabytes in the storage": (tensor(numel=LARGE), "elements of float32|cut short|another"),
    "four gigabytes in the shape": (tensor(shape=f"({LARGE}t"), r"in a storage of 2 elements"),
    "a shape of zero strides": (tensor(f"({LARGE}I2\nt", "(I0\nI0\nt"), "elements overlap"),
    "elements that overlap": (tensor("(I2\nI2\nt", "(I1\nI1\nt"), "elements overlap"),
    "an offset behind the end": (tensor(offset="I1\n"), "offset 1 in a storage of 2"),
    "a negative size": (tensor(shape="(I-2\nt"), "that is -2; expected an integer from 0"),
    "a negative stride": (tensor(strides="(I-1\nt"), "that is -1; expected an integer from 0"),
    "a negative offset": (tensor(offset="I-1\n"), "that is -1; expected an integer from 0"),
    "a negative storage": (tensor(numel="I-2\n"), "that is -2; expected an integer from 0"),
    "a size that is no integer": (tensor(shape="(F2.0\nt"), "that is a float"),
    "a size that is a boolean": (tensor(shape="(I01\nt", strides="(I1\nt"), "that is a bool"),
    "a size without end": (tensor(shape=f"(I{'9' * 4000}\nt"), "that is a int"),
    "more sizes than strides": (tensor("(I1\nI2\nt"), r"shape \(1, 2\) with strides \(1,\)"),
    "hundred dimensions": (tensor("(" + "I1\n" * 100 + "t"), "no tuple of at most 32"),
    "an empty one beyond all": (tensor(f"(I0\n{LARGE}{LARGE}t", "(I0\nI0\nI0\nt"), "no array can"),
    "a storage of another kind": (tensor(kind="ComplexFloatStorage"), "ComplexFloatStorage"),
    "a storage without name": (tensor(key="N"), "named a NoneType"),
}


@pytest.mark.parametrize("what", CLAIMS)
def test_every_claim_is_checked(refuse, what):
    claimed, text = CLAIMS[what]
    keys = pickle.dumps(["0"], 2)
    files = {
        "zip": in_zip(claimed, {"0": bytes(8)}),
        "legacy": legacy(claimed, keys + (2).to_bytes(8, "little") + bytes(8)),
    }
    for content in files.values():
        assert re.search(text, refuse(content))


def test_a_sound_one_is_loaded(tmp_path):
    keys = pickle.dumps(["0"], 2)
    data = np.array([1.5, 2.5], "<f4").tobytes()
    for content in (
        in_zip(tensor(), {"0": data}),
        legacy(tensor(), keys + (2).to_bytes(8, "little") + data),
    ):
        (tmp_path / "w").write_bytes(content)
        np.testing.assert_array_equal(gcv.load(tmp_path / "w")["w"], [1.5, 2.5])


DAMAGE = {
    "nothing": b"",
    "a memo of 4 GB": b"Nr\xff\xff\xff\x7f.",
    "a string of 4 GB": b"X\xff\xff\xff\x7fabc.",
    "bytes of 8 EB": b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "a number of 2 GB": b"\x8b\xff\xff\xff\x7f\x01.",
    "a negative number's size": b"\x8b\xff\xff\xff\xff\x01.",
    "a frame of 8 EB": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.",
    "a mark that is not there": b"t.",
    "a value that is not there": b"0.",
    "a memo entry that is not there": b"h\x07.",
    "no end": b"N",
    "an unknown opcode": b"\xff.",
    "an extension": b"\x82\x01.",
    "an instance": b"(ios\nsystem\n.",
    "a list in a list in a list": b"]" * 20_000 + b"a" * 19_999 + b".",
    "a dict that is its own entry": b"}q\x00X\x01\x00\x00\x00wh\x00s.",
    "a tuple of tuples as a key": b"})" + b"\x85" * 20_000 + b"Ns.",
    "a key without a value": b"(Nd.",
    "a dict that grows into a list": b"]Na(NNu.",
    "the call of a number": b"I1\n)R.",
    "the call of a call": b"ccollections\nOrderedDict\n)R)R.",
    "a name of numbers": b"I1\nI2\n\x93.",
    "a persistent id that is a number": b"I1\nQ.",
    "an OrderedDict of numbers": b"ccollections\nOrderedDict\n(I1\ntR.",
    "no tensors": b"}.",
    "a name that cannot be printed": b"}(X\x03\x00\x00\x00\xed\xa0\x80NX\x01\0\0\0wNu.",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_every_damage_is_named(refuse, what):
    for content in (in_zip(DAMAGE[what]), legacy(DAMAGE[what])):
        refuse(content)


def npz(header: str, body: bytes, compress: int = zipfile.ZIP_STORED) -> bytes:
    """An .npz of one array with this header."""
    head = header.encode() + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        size = len(head).to_bytes(2, "little")
        archive.writestr("w.npy", b"\x93NUMPY\x01\x00" + size + head + body)
    return buffer.getvalue()


def described(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (described("(2,)", "'|O'"), "dtype object; expected numbers"),
        (described("(2,)", "'<U2'"), "expected numbers"),
        (described("(2,)", "[('a', '<f4')]"), "expected numbers"),
        (described("(2,)", "'<c8'"), "expected numbers"),
        (described("(2,)", "'<V99999999999'"), "w"),
        (described("(4294967296,)"), "in 88 bytes|in .* bytes"),
        (described("(-2,)"), "bytes"),
        (described("(2, -1)"), "bytes"),
        (described("(99999999999999999999999,)"), "no array can have"),
        (described("(True,)"), "no array can have|damaged"),
        ("(" * 9000, "damaged array"),
        ("__import__('os').system('x')", "damaged array"),
        (described("(2,)") + "+" * 100, "damaged array"),
    ],
)
def test_claims_of_an_npz_are_checked(refuse, header, text):
    assert re.search(text, refuse(npz(header, bytes(8))))


def test_zip_bombs_are_refused(refuse):
    bomb = npz(described("(33554432,)"), bytes(2**27), zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**19
    assert "more than weights are ever compressed" in refuse(bomb)
    many = in_zip(tensor(numel="I33554432\n"), {"0": bytes(2**27)}, zipfile.ZIP_DEFLATED)
    assert "more than weights are ever compressed" in refuse(many)


def test_pickles_that_no_net_needs_are_refused(refuse, monkeypatch):
    monkeypatch.setattr(machine, "MAX_OPCODES", 1000)
    monkeypatch.setattr(torch_zip, "MAX_PICKLE", 5000)
    assert "a pickle of more than 1,000 opcodes" in refuse(in_zip(b"N0" * 501 + b"."))
    assert "a pickle of more than 5,000 bytes" in refuse(in_zip(b"N0" * 2501 + b"."))


def test_many_views_of_one_storage_are_refused(refuse):
    parts = [
        tensor(f"(I{1000 - n}\nt", numel="I1000\n")[1:-2].replace(b"S'w'", b"S'%d'" % n)
        for n in range(900)
    ]
    text = refuse(in_zip(b"(" + b"".join(parts) + b"d.", {"0": bytes(4000)}))
    assert "tensors of more than 4 times the bytes of the file" in text


@pytest.mark.parametrize("name", ["torch_tensors_zip.pth", "torch_tensors_legacy.pth"])
def test_a_file_that_is_cut_short_anywhere_is_refused(refuse, name):
    content = (DATA / name).read_bytes()
    for end in range(0, len(content), 37):
        refuse(content[:end])


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, text in (("pipe", "no regular file"), ("gone", "no such file"), (".", "no such")):
        with pytest.raises(WeightsError, match=text):
            gcv.load(tmp_path / name)


def test_more_bytes_than_a_record_needs_are_refused(refuse):
    assert "a record of 12 bytes for 2 elements" in refuse(in_zip(tensor(), {"0": bytes(12)}))
    assert "of shape (2,) and dtype float32 in" in refuse(npz(described("(2,)"), bytes(12)))


def test_names_are_strings(refuse):
    content = in_zip(tensor().replace(b"S'w'", b"I7"), {"0": bytes(8)})
    assert "an entry named 7; names of tensors are strings" in refuse(content)


def test_keys_are_plain_values(refuse):
    assert "one that is no plain value" in refuse(in_zip(b"})\x85Ns."))
