"""Safetensors: a JSON header and the bytes, checked by the package ``safetensors``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WeightsError
from .tensors import BFLOAT16, Kind, native

_DTYPES = {
    **{f"F{8 * size}": f"float{8 * size}" for size in (2, 4, 8)},
    **{f"I{8 * size}": f"int{8 * size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"uint{8 * size}" for size in (1, 2, 4, 8)},
    "BF16": BFLOAT16,
    "BOOL": "bool",
}
# A checkpoint of gpuconv: the net's part of it, without the optimiser's.
_NET, _REST = "net/", "optimizer/"


def read(path: Path, key: str | None) -> dict[str, np.ndarray]:
    """The tensors by name, bfloat16 as float32; of a checkpoint, the net's. Raises WeightsError."""
    from safetensors import SafetensorError, deserialize

    if key is not None:
        raise WeightsError("no entries within entries; leave key out")
    try:
        parts = deserialize(path.read_bytes())
    except (SafetensorError, ValueError, OverflowError, MemoryError) as error:
        raise WeightsError(f"a damaged safetensors file ({str(error)[:80]})") from None
    found = {name: _array(name, part) for name, part in parts}
    if all(name.startswith((_NET, _REST)) for name in found):
        return {n.removeprefix(_NET): a for n, a in found.items() if n.startswith(_NET)}
    return found


def _array(name: str, part: Mapping[str, Any]) -> np.ndarray:
    dtype = _DTYPES.get(part["dtype"])
    if dtype is None:
        raise WeightsError(f"a tensor {name[:80]!r} of dtype {part['dtype']}, which NumPy has not")
    values = np.frombuffer(part["data"], Kind(dtype).stored)
    return native(values.reshape(part["shape"]), dtype)


def metadata(path: Path) -> dict[str, str]:
    """What the header says besides tensors; raises WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"a damaged safetensors file ({str(error)[:80]})") from None


def content(arrays: Mapping[str, np.ndarray], said: Mapping[str, str]) -> bytes:
    """The bytes of a file: the same for the same arrays and words."""
    from safetensors.numpy import save

    made = save(dict(arrays), dict(said) or None)
    return made if len(said) < 2 else _ordered(made)


def _ordered(made: bytes) -> bytes:
    """A file with what it says by name: safetensors writes that in an order that changes."""
    end = 8 + int.from_bytes(made[:8], "little")
    header = json.loads(made[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8
    return b"".join((len(text).to_bytes(8, "little"), text, memoryview(made)[end:]))
