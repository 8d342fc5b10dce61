"""Which tensors of a PyTorch checkpoint are the net's."""

from typing import Any

from ..errors import WeightsError
from .machine import shown
from .tensors import Tensor

# As training scripts call them; the first that is there is taken.
ENTRIES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network")
# What torch.nn.DataParallel and torch.compile put before every name.
WRAPPERS = ("module.", "_orig_mod.")


def state_dict(tree: Any, key: str | None = None) -> dict[str, Tensor]:
    """The tensors by name: of entry ``key``, of the checkpoint's usual entry, or all that is there.

    Raises WeightsError for anything else, saying what there is.
    """
    if type(tree) is not dict:
        raise WeightsError(f"{shown(tree)}, not a dict of tensors by name")
    if key is not None:
        if key not in tree:
            raise WeightsError(f"no entry {shown(key)}; there are {_listed(tree)}")
        return _tensors(tree[key])
    if not _is_state(tree):
        nested = [name for name in ENTRIES if _is_state(tree.get(name))]
        if nested:
            return _tensors(tree[nested[0]])
    return _tensors(tree)


def _is_state(value: Any) -> bool:
    return type(value) is dict and any(isinstance(v, Tensor) for v in value.values())


def _tensors(state: Any) -> dict[str, Tensor]:
    if not _is_state(state):
        raise WeightsError(f"no tensors by name but {_listed(state)}; say which entry with key=")
    for name, value in state.items():
        if type(name) is not str:
            raise WeightsError(f"an entry named {shown(name)}; names of tensors are strings")
        if not isinstance(value, Tensor):
            raise WeightsError(f"an entry {shown(name)} that is {shown(value)}, not a tensor")
    return _unwrapped(state)


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the wrappers that every name begins with, whichever is outside."""
    for wrapper in 2 * WRAPPERS:
        if all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return state


def _listed(value: Any) -> str:
    if type(value) is not dict or not value:
        return shown(value) if type(value) is not dict else "an empty dict"
    more = ", ..." if len(value) > 8 else ""
    return ", ".join(f"{shown(name)}" for name in list(value)[:8]) + more
