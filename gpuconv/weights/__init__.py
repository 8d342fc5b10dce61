"""Weights in files: read from safetensors, NumPy and PyTorch, written as safetensors or NumPy."""

from .reading import load as load
from .reading import metadata as metadata
from .writing import save as save
