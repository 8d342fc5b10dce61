"""PyTorch's zip format (``torch.save`` since 1.6): a pickle, and one stored record per storage.

``NAME/data.pkl``, ``NAME/data/KEY`` and ``NAME/byteorder`` (torch/serialization.py).
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError
from . import archives
from .entries import state_dict
from .machine import Machine
from .tensors import NAMES, Storage, make, persistent

PICKLE = "/data.pkl"
MAX_PICKLE = 2**26


def read(path: Path, key: str | None) -> dict[str, np.ndarray]:
    """The tensors of the file, or of its entry ``key``, by name; raises WeightsError."""
    with archives.opened(path) as archive:
        folder = _folder(archive)
        order = _byte_order(archive, folder)

        def storage(wanted: Storage) -> np.ndarray:
            dtype = wanted.kind.stored.newbyteorder(order)
            name = f"{folder}/data/{wanted.key}"
            return archives.array(archive, name, dtype, wanted.numel)[wanted.start :]

        tree = Machine(io.BytesIO(_pickle(archive, folder)), NAMES, persistent).run()
        return make(state_dict(tree, key), storage, path.stat().st_size)


def is_one(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is PyTorch's."""
    return any(name.endswith(PICKLE) for name in archive.namelist())


def _folder(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    found = [name.removesuffix(PICKLE) for name in names if name.endswith(PICKLE)]
    if len(found) != 1 or f"{found[0]}/constants.pkl" in names:
        raise WeightsError(
            "a TorchScript archive: code; save the state_dict() of the model instead"
        )
    return found[0]


def _byte_order(archive: zipfile.ZipFile, folder: str) -> Any:
    name = f"{folder}/byteorder"
    said = archive.read(name)[:8] if name in archive.NameToInfo else b"little"
    if said not in (b"little", b"big"):
        raise WeightsError(f"a byte order {said!r}")
    return "<" if said == b"little" else ">"


def _pickle(archive: zipfile.ZipFile, folder: str) -> bytes:
    name = folder + PICKLE
    if archive.getinfo(name).file_size > MAX_PICKLE:
        raise WeightsError(f"a pickle of more than {MAX_PICKLE:,} bytes, which no net needs")
    return archive.read(name)
