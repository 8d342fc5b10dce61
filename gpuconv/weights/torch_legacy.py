"""PyTorch's format before 1.6: five pickles, then every storage as its size and its elements.

Magic number, protocol, the writer's sizes, the object, the keys of its storages; then for each key
int64 and the elements, little-endian whatever the writer's machine (torch/serialization.py,
torch/csrc/serialization.cpp).
"""

import mmap
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ..errors import WeightsError
from . import archives
from .entries import state_dict
from .machine import Machine
from .tensors import NAMES, Kind, Storage, make, persistent

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_PLAIN: dict[str, Any] = {}


def read(path: Path, key: str | None) -> dict[str, np.ndarray]:
    """The tensors of the file, or of its entry ``key``, by name; raises WeightsError."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        stream = cast(IO[bytes], mapped)
        if _plain(stream) != MAGIC or _plain(stream) != PROTOCOL:
            raise WeightsError("a pickle that torch.save did not write")
        _plain(stream)
        kinds: dict[str, Storage] = {}

        def storage(identity: Any) -> Storage:
            found = persistent(identity)
            first = kinds.setdefault(found.key, found)
            if (first.kind, first.numel) != (found.kind, found.numel):
                raise WeightsError("a storage of two kinds or sizes")
            return found

        tree = Machine(stream, NAMES, storage).run()
        wanted = state_dict(tree, key)
        places = _places(stream, _plain(stream), kinds)

        def elements(one: Storage) -> np.ndarray:
            file.seek(places[one.key])
            return archives.fill(file, one.kind.stored, one.numel)[one.start :]

        return make(wanted, elements, path.stat().st_size)


def _plain(stream: IO[bytes]) -> Any:
    return Machine(stream, _PLAIN, _no_storage).run()


def _no_storage(identity: Any) -> Any:
    raise WeightsError("a storage where PyTorch has none")


def _places(stream: IO[bytes], keys: Any, known: dict[str, Storage]) -> dict[str, int]:
    """Where the elements of each storage begin; every one of them is in the file."""
    if type(keys) is not list or {k for k in keys if type(k) is str} != set(known):
        raise WeightsError("a list of storages that are not those of its tensors")
    if len(keys) != len(known):
        raise WeightsError("a storage that is listed twice")
    end, places = _end(stream), {}
    for key in keys:
        size = stream.read(8)
        kind: Kind = known[key].kind
        if int.from_bytes(size, "little") != known[key].numel or len(size) < 8:
            raise WeightsError("a storage of another size than its tensors say (cut short?)")
        places[key] = stream.tell()
        if places[key] + known[key].numel * kind.itemsize > end:
            raise WeightsError("fewer bytes than its storages claim (cut short?)")
        stream.seek(places[key] + known[key].numel * kind.itemsize)
    return places


def _end(stream: IO[bytes]) -> int:
    here = stream.tell()
    stream.seek(0, 2)
    end = stream.tell()
    stream.seek(here)
    return end
