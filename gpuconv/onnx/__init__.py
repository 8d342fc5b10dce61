"""ONNX: nets as files for other frameworks, and models of other frameworks as nets.

Needs the package onnx (pip install 'gpuconv[onnx]').
"""

from .exporter import OPSET as OPSET
from .exporter import save as save
from .importer import load as load
