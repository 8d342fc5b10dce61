"""Nets as ONNX files; needs the package onnx (pip install 'gpuconv[onnx]')."""

from .exporter import OPSET as OPSET
from .exporter import save as save
