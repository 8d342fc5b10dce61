"""``save``: weights into a file that is there whole or as it was."""

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from .. import device as devices
from .._files import replace_file
from ..data.preprocessing import KEY, Preprocessing
from ..errors import OptionError
from . import response, tensor_files
from .response import ResponseNorm

NPZ, SAFETENSORS = ".npz", ".safetensors"


def save(path: str | os.PathLike, net: Any, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a net's parameters and buffers, or a dict of arrays: whole or not at all.

    ``.safetensors`` (also without a suffix) or ``.npz``, which keeps no ``metadata`` (strings by
    name). How images become what the net takes is kept in the metadata of a model
    (``gpuconv.data.Preprocessing``), and what its response normalisation means.

    Raises OptionError for another suffix, what is no net and no dict of arrays, or metadata that
    cannot be kept, and RunError if the file cannot be written.
    """
    place = Path(path)
    said = _metadata(place, metadata)
    if place.suffix != NPZ and hasattr(net, "state_dict") and hasattr(net, "input_shape"):
        norm = ResponseNorm.of(net)
        more = {} if norm is None else {response.KEY: norm.dumps()}
        said = {KEY: Preprocessing.of(net).dumps(), **more} | said
    replace_file(place, content(_arrays(net), place.suffix == NPZ, said))


def content(arrays: Mapping[str, np.ndarray], npz: bool, said: Mapping[str, str]) -> bytes:
    """The bytes of a file of these arrays."""
    if not npz:
        return tensor_files.content(arrays, said)
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _metadata(path: Path, given: Mapping[str, str] | None) -> dict[str, str]:
    if path.suffix not in (NPZ, SAFETENSORS, ""):
        raise OptionError(f"save: {path} ends in {path.suffix}; expected {SAFETENSORS} or {NPZ}")
    said = {} if given is None else given
    if not isinstance(said, Mapping) or not all(
        isinstance(text, str) for pair in said.items() for text in pair
    ):
        raise OptionError(f"save: metadata must be strings by name, got {said!r:.80}")
    if said and path.suffix == NPZ:
        raise OptionError(f"save: {NPZ} keeps no metadata; use {SAFETENSORS}, or leave it out")
    return dict(said)


def _arrays(net: Any) -> dict[str, np.ndarray]:
    state = net.state_dict() if hasattr(net, "state_dict") else net
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise OptionError(f"save: expected a net or a dict of arrays by name, got {net!r:.80}")
    host = {}
    for name, array in state.items():
        devices.of(array, "save", name)
        host[name] = np.asarray(devices.to_numpy(array), order="C")
    return host
