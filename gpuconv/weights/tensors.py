"""PyTorch's tensors as its pickles describe them: storages, and views into them.

The names are those that ``torch.save`` writes (torch/_utils.py, torch/serialization.py). Every size
is checked against its storage, and every storage against the file, before memory is taken.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from ..errors import WeightsError
from .machine import Call, pairs, shown

BFLOAT16 = "bfloat16"
_STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": BFLOAT16,
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}
MAX_SIZE, MAX_NDIM, MAX_SHARING = 2**62, 32, 4


@dataclass(frozen=True)
class Kind:
    """A class of storages by its dtype."""

    dtype: str

    @property
    def itemsize(self) -> int:
        """Bytes of an element in the file."""
        return self.stored.itemsize

    @property
    def stored(self) -> np.dtype:
        """What NumPy reads, little-endian; bfloat16 as its bits."""
        return np.dtype("uint16" if self.dtype == BFLOAT16 else self.dtype).newbyteorder("<")


@dataclass(frozen=True)
class Storage:
    """``numel`` elements, of which some view's begin at ``start``."""

    key: str
    kind: Kind
    numel: int
    start: int = 0


@dataclass(frozen=True)
class Tensor:
    """A view into a storage; offset and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the elements as the file holds them."""
        return prod(self.shape) * self.storage.kind.itemsize


def persistent(value: Any) -> Storage:
    """The storage of a persistent id ('storage', class, key, location, numel[, view])."""
    if type(value) is not tuple or not 5 <= len(value) <= 6 or value[0] != "storage":
        raise WeightsError("a persistent id that is no storage")
    kind, key, numel = value[1], value[2], value[4]
    if not isinstance(kind, Kind) or type(key) is not str:
        raise WeightsError(f"a storage of {shown(kind)} named {shown(key)}")
    start, view = 0, value[5] if len(value) == 6 else None
    if view is not None:  # before PyTorch 1.0: a part of another storage
        if type(view) is not tuple or len(view) != 3:
            raise WeightsError(f"a view of a storage that is {shown(view)}")
        start = _size("the start of a view", view[1])
    return Storage(key, kind, _size("a storage's size", numel), start)


def _size(what: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < MAX_SIZE:
        raise WeightsError(f"{what} that is {shown(value)}; expected an integer from 0")
    return value


def _sizes(what: str, values: Any) -> tuple[int, ...]:
    if type(values) not in (tuple, list) or len(values) > MAX_NDIM:
        raise WeightsError(f"{what} that is no tuple of at most {MAX_NDIM} integers")
    return tuple(_size(f"{what} with an entry", value) for value in values)


def _rebuild_tensor(given: tuple) -> Tensor:
    if not 4 <= len(given) <= 7 or not isinstance(given[0], Storage):
        raise WeightsError("a tensor that is not made from a storage")
    storage, offset, shape, strides = given[:4]
    tensor = Tensor(
        storage,
        _size("a tensor's offset", offset),
        _sizes("a tensor's shape", shape),
        _sizes("a tensor's strides", strides),
    )
    _require_inside(tensor)
    return tensor


def _require_inside(tensor: Tensor) -> None:
    """Every element is in the storage, and no two are the same one."""
    steps = zip(tensor.strides, tensor.shape, strict=False)
    if len(tensor.strides) != len(tensor.shape):
        raise WeightsError(f"a tensor of shape {tensor.shape} with strides {tensor.strides}")
    if prod(size for size in tensor.shape if size) >= MAX_SIZE:
        raise WeightsError(f"a tensor of shape {tensor.shape}, which no array can have")
    if 0 in tensor.shape:
        return
    last = 0
    for stride, size in sorted((stride, size) for stride, size in steps if size > 1):
        if stride <= last:
            raise WeightsError(
                f"a tensor of shape {tensor.shape} whose elements overlap (strides "
                f"{tensor.strides}); save a copy of it: tensor.clone()"
            )
        last += stride * (size - 1)
    if tensor.offset + last >= tensor.storage.numel:
        raise WeightsError(
            f"a tensor of shape {tensor.shape}, strides {tensor.strides} and offset "
            f"{tensor.offset} in a storage of {tensor.storage.numel} elements"
        )


def _rebuild_parameter(given: tuple) -> Tensor:
    if not given or not isinstance(given[0], Tensor):
        raise WeightsError("a parameter that is not made from a tensor")
    return given[0]


def _ordered(given: tuple) -> dict:
    items = given[0] if given else []
    if len(given) > 1 or type(items) not in (list, tuple) or not all(map(_is_pair, items)):
        raise WeightsError("an OrderedDict that is not made from pairs")
    return pairs([part for pair in items for part in pair])


def _is_pair(value: Any) -> bool:
    return type(value) in (list, tuple) and len(value) == 2


NAMES: dict[str, Any] = {
    "collections OrderedDict": Call(_ordered),
    "torch Size": Call(lambda given: _sizes("a torch.Size", given[0] if given else ())),
    "torch device": Call(lambda given: "device"),
    "torch._utils _rebuild_parameter": Call(_rebuild_parameter),
    "torch._utils _rebuild_tensor": Call(_rebuild_tensor),
    "torch._utils _rebuild_tensor_v2": Call(_rebuild_tensor),
    **{f"torch {name}Storage": Kind(dtype) for name, dtype in _STORAGES.items()},
}


def make(
    state: dict[str, Tensor], read: Callable[[Storage], np.ndarray], budget: int
) -> dict[str, np.ndarray]:
    """The arrays; ``read`` gives a storage's elements, a new array, and is asked once for each.

    Equal views are one array, as tied weights are; other views of a storage are copies, and a file
    of ``budget`` bytes may not make more than MAX_SHARING times as many of them.
    """
    wanted: Iterable[Tensor] = set(state.values())
    if sum(tensor.nbytes for tensor in wanted) > MAX_SHARING * budget:
        raise WeightsError(f"tensors of more than {MAX_SHARING} times the bytes of the file")
    made: dict[Tensor, np.ndarray] = {}
    for _, group in groupby(sorted(wanted, key=_key), key=_key):
        tensors = list(group)
        values = read(tensors[0].storage)
        is_whole = len(tensors) == 1 and prod(tensors[0].shape) == values.size
        made.update((tensor, view(values, tensor, is_whole)) for tensor in tensors)
    return {name: made[tensor] for name, tensor in state.items()}


def _key(tensor: Tensor) -> tuple[str, str, int, int]:
    storage = tensor.storage
    return storage.key, storage.kind.dtype, storage.numel, storage.start


def view(values: np.ndarray, tensor: Tensor, is_whole: bool) -> np.ndarray:
    """The tensor's elements as a C-contiguous array, in the machine's byte order.

    It may be a view of ``values`` if the tensor ``is_whole``: the only one, of all of them.
    """
    if not prod(tensor.shape):
        found = np.empty(tensor.shape, values.dtype)
    else:
        strides = [stride * values.itemsize for stride in tensor.strides]
        part = values[tensor.offset :]
        found = np.lib.stride_tricks.as_strided(part, tensor.shape, strides, writeable=is_whole)
    return native(found, tensor.storage.kind.dtype, not is_whole)


def native(values: np.ndarray, dtype: str, copy: bool = True) -> np.ndarray:
    """C-contiguous, in the machine's byte order, a copy unless that is not asked for or needed.

    bfloat16 bits become the same float32 values.
    """
    if dtype != BFLOAT16:
        return (np.array if copy else np.asarray)(values, dtype, order="C")
    return np.left_shift(np.array(values, np.uint32, order="C"), 16).view(np.float32)
