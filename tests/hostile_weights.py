"""Files of weights that somebody made to do harm, or that a disk broke."""

import io
import random
import struct
import zipfile

from make_torch_files import DATA

HEAD = (
    b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the magic number of torch.save
    b"\x80\x02M\xe9\x03."
    b"\x80\x02}."
)
PLANTED = {  # what a pickle would call, and its opcodes
    "os.system": b"cos\nsystem\n(X\x01\x00\x00\x00xtR",
    "posix.system": b"cposix\nsystem\n(X\x01\x00\x00\x00xtR",
    "builtins.eval": b"cbuiltins\neval\n(X\x01\x00\x00\x001tR",
    "__builtin__.exec": b"c__builtin__\nexec\n(X\x01\x00\x00\x001tR",
    "builtins.getattr": b"\x8c\x08builtins\x8c\x07getattr\x93",
    "torch.load": b"ctorch\nload\n(X\x01\x00\x00\x00xtR",
    "collections.OrderedDict.__reduce__": b"ccollections\nOrderedDict.__reduce__\n)R",
    "runpy._run_code": b"crunpy\n_run_code\n(X\x01\x00\x00\x001}tR",
}


def legacy(pickle: bytes, rest: bytes = b"") -> bytes:
    """A file in the format before 1.6 whose object is this pickle."""
    return HEAD + pickle + rest


def in_zip(pickle: bytes, storages: dict[str, bytes] | None = None, compress: int = 0) -> bytes:
    """A file in the zip format whose object is this pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        archive.writestr("a/data.pkl", pickle)
        for key, content in (storages or {}).items():
            archive.writestr(f"a/data/{key}", content)
    return buffer.getvalue()


def tensor(
    shape: str = "(I2\nt",
    strides: str = "(I1\nt",
    offset: str = "I0\n",
    numel: str = "I2\n",
    kind: str = "FloatStorage",
    key: str = "S'0'\n",
) -> bytes:
    """The pickle of {"w": a tensor}, its parts as the text opcodes of protocol 0."""
    storage = f"(S'storage'\nctorch\n{kind}\n{key}S'cpu'\n{numel}tQ"
    built = f"ctorch._utils\n_rebuild_tensor_v2\n({storage}{offset}{shape}{strides}I00\n}}tR"
    return f"(S'w'\n{built}d.".encode()


def broken(content: bytes, rng: random.Random) -> bytes:
    """The file with a few of its bytes changed, moved, doubled, left out or claimed larger."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at, length = rng.randrange(len(data)), rng.choice((1, 2, 4, 8, 64))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + length]
        elif kind == 4:
            data[at:at] = data[rng.randrange(len(data)) :][:length]
        elif kind == 5:
            huge = rng.choice((2**31 - 1, 2**32 - 1, 2**31, 2**40, 2**63, 2**64 - 1))
            data[at : at + 8] = struct.pack("<Q", huge)[: rng.choice((4, 8))]
        else:
            data[at:at] = rng.choice(list(PLANTED.values()))
    return bytes(data)


def mutant(content: bytes, seed: int) -> bytes:
    """A broken file; of a zip file every other time a sound one around a broken record."""
    rng = random.Random(seed)
    if not content.startswith(b"PK") or rng.random() < 0.5:
        return broken(content, rng)
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as to,
    ):
        names = source.namelist()
        chosen = next((n for n in names if n.endswith("data.pkl")), rng.choice(names))
        for name in names:
            record = source.read(name)
            to.writestr(name, broken(record, rng) if name == chosen else record)
    return buffer.getvalue()


def sound() -> dict[str, bytes]:
    """Files to break, by name."""
    return {path.name: path.read_bytes() for path in sorted(DATA.glob("torch_*.pth"))}
