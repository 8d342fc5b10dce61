"""``load``: a state dict from a file, whatever wrote it."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import WeightsError
from . import archives, numpy_files, tensor_files, torch_legacy, torch_zip

Reader = Callable[[Path, str | None], dict[str, np.ndarray]]
RUN_WEIGHTS = "model.safetensors"
_ADVICE = (
    "nothing was loaded; get the file again, or write it anew as safetensors or with "
    "torch.save(net.state_dict(), file)"
)


def load(path: str | os.PathLike, *, key: str | None = None) -> dict[str, np.ndarray]:
    """The arrays of a file by name, for ``net.load_state_dict``.

    Reads safetensors, ``.npz``, PyTorch's ``.pth`` in the zip format and in the one before 1.6, a
    run folder and its checkpoint; the content decides, not the file's name. PyTorch is not needed,
    and nothing that a file holds is executed. Of a checkpoint the usual entry ("state_dict",
    "model", ...) is taken, or the entry ``key``; what DataParallel and torch.compile put before
    every name ("module.", "_orig_mod.") is taken off. bfloat16 becomes float32 (exactly); other
    dtypes stay. Equal views of one PyTorch storage are one array, as tied weights are.

    Raises WeightsError, naming the file, if it is missing, damaged, claims more than it holds, or
    holds anything besides tensors and plain values.
    """
    place = _file(path)
    try:
        return _reader(place)(place, key)
    except OSError as error:
        raise WeightsError(f"{place}: cannot be read ({error.strerror or error})") from None
    except WeightsError as error:
        raise WeightsError(f"{place}: refused, because it holds {error}; {_ADVICE}") from None


def metadata(path: str | os.PathLike) -> dict[str, str]:
    """What a safetensors file says besides tensors, strings by name; {} for other formats.

    Raises WeightsError as ``load`` does.
    """
    place = _file(path)
    try:
        is_one = _reader(place) is tensor_files.read
        return tensor_files.metadata(place) if is_one else {}
    except OSError as error:
        raise WeightsError(f"{place}: cannot be read ({error.strerror or error})") from None
    except WeightsError as error:
        raise WeightsError(f"{place}: refused, because it holds {error}; {_ADVICE}") from None


def _file(path: str | os.PathLike) -> Path:
    place = Path(path)
    if place.is_dir():
        place = place / RUN_WEIGHTS
    if not place.exists():
        raise WeightsError(f"{place}: there is no such file; expected saved weights")
    if not place.is_file():  # a pipe or a device has no size to check claims against
        raise WeightsError(f"{place}: is no regular file; copy its content into one")
    return place


def _reader(path: Path) -> Reader:
    with open(path, "rb") as file:
        head = file.read(9)
    if head.startswith(b"PK"):
        with archives.opened(path) as archive:
            return torch_zip.read if torch_zip.is_one(archive) else numpy_files.read
    if head[8:] == b"{":
        return tensor_files.read
    if head.startswith(b"\x80"):
        return torch_legacy.read
    raise WeightsError("neither safetensors nor what NumPy's savez or torch.save writes")
