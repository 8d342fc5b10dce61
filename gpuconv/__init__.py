"""Convolutional networks trained on kernels that people can read, choose, measure and trust."""

from . import _layout as _layout
