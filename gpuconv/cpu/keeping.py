"""Weights in a kernel's own order, kept from call to call where somebody says they do not change.

    store = Store(parameter.value for parameter in net.parameters())
    with kept(store):
        net(images)  # packs and transforms every convolution's weights
        net(images)  # finds them in the store

Whoever made the store makes a new one when a weight changes.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from . import memory


class Store:
    """Forms of these weights, which stay alive as long as the store does."""

    def __init__(self, weights: Iterable[Any]) -> None:
        arrays = (weight for weight in weights if type(weight) is np.ndarray)
        self._weights = {_address(array): array for array in arrays}
        self._forms: dict[tuple[Hashable, int], np.ndarray] = {}

    def form(
        self, key: Hashable, weight: np.ndarray, size: int, prepare: Callable[[int], Any]
    ) -> int | None:
        """The address of ``size`` bytes filled by ``prepare``, now or before; None for others."""
        where = key, _address(weight)
        if where[1] not in self._weights:
            return None
        if where not in self._forms:
            made = memory.empty((size,), "uint8")
            prepare(_address(made))
            self._forms.setdefault(where, made)  # another thread may read its own already
        return _address(self._forms[where])


_STORE: ContextVar[Store | None] = ContextVar("gpuconv_kept_weights", default=None)


@contextmanager
def kept(store: Store) -> Iterator[None]:
    """Keep prepared weights in ``store`` inside the block, and take them from there."""
    token = _STORE.set(store)
    try:
        yield
    finally:
        _STORE.reset(token)


def prepared(
    key: Hashable, weight: np.ndarray, size: int, place: int, prepare: Callable[[int], Any]
) -> int:
    """The address of ``size`` bytes that ``prepare(address)`` fills from ``weight``.

    That is ``place``, a part of the workspace, unless weights are kept. ``key`` says into what form
    they are brought.
    """
    store = _STORE.get()
    found = None if store is None else store.form(key, weight, size, prepare)
    if found is not None:
        return found
    prepare(place)
    return place


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])
