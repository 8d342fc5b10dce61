"""ONNX: models of other frameworks as graphs."""

from .importer import load as load
