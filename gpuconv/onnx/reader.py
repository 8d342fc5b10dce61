"""What an ONNX file holds, checked before anything is made of it.

ONNX IR specification: https://onnx.ai/onnx/repo-docs/IR.html. Every tensor's size is held against
the bytes that are there before memory is taken for it.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OnnxError

FIRST_OPSET = 6
# TensorProto.DataType: what NumPy reads from raw_data, and the field that holds it otherwise.
DTYPES = {
    1: ("float32", "float_data"),
    2: ("uint8", "int32_data"),
    3: ("int8", "int32_data"),
    6: ("int32", "int32_data"),
    7: ("int64", "int64_data"),
    9: ("bool", "int32_data"),
    11: ("float64", "double_data"),
}


@dataclass(frozen=True)
class Source:
    """A parsed model: graph, opset, the folder of its external data if any, metadata."""

    graph: Any
    opset: int
    folder: Path | None
    metadata: dict[str, str]


def read(path_or_bytes: str | Path | bytes) -> Source:
    """Parse a model; raises OnnxError for what is no ONNX file, or is of an unknown opset."""
    import onnx
    from google.protobuf.message import DecodeError

    content, folder = _content(path_or_bytes)
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise OnnxError(f"onnx: not a whole ONNX file ({error}); is it truncated?") from error
    if not model.HasField("graph") or not model.graph.node:
        raise OnnxError("onnx: the file holds no graph with nodes; is it an ONNX model?")
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    latest = onnx.defs.onnx_opset_version()
    if not versions or not FIRST_OPSET <= versions[0] <= latest:
        came = f"opset {versions[0]}" if versions else "no opset"
        raise OnnxError(
            f"onnx: the model has {came}; expected {FIRST_OPSET} to {latest}; convert it with "
            "onnx.version_converter"
        )
    _require_text(model.graph)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Source(model.graph, versions[0], folder, metadata)


def _require_text(graph: Any) -> None:
    """Raise OnnxError unless every name is text: protobuf gives what is no UTF-8 as bytes."""
    tensors = [*graph.initializer, *graph.input, *graph.output]
    names = [tensor.name for tensor in tensors]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
    damaged = [name for name in names if not isinstance(name, str)]
    if damaged:
        raise OnnxError(f"onnx: the name {damaged[0]!r} is no UTF-8; is the file damaged?")


def _content(given: str | Path | bytes) -> tuple[bytes, Path | None]:
    if isinstance(given, bytes | bytearray):
        return bytes(given), None
    if not isinstance(given, str | Path):
        raise OnnxError(f"onnx: got a {type(given).__name__}; expected a path or bytes")
    try:
        return Path(given).read_bytes(), Path(given).parent
    except OSError as error:
        raise OnnxError(f"onnx: cannot read {given}: {error.strerror or error}") from error


def array(tensor: Any, folder: Path | None, where: str) -> np.ndarray:
    """The tensor's values, read-only where they can be; ``where`` names it in errors."""
    if tensor.data_type not in DTYPES:
        raise OnnxError(
            f"onnx: {where} has element type {tensor.data_type}; expected float32, float64, an "
            "integer of 8, 32 or 64 bits, or bool"
        )
    dtype, field = DTYPES[tensor.data_type]
    shape = tuple(tensor.dims)
    if any(size < 0 for size in shape):
        raise OnnxError(f"onnx: {where} has dims {shape}; expected none below 0")
    if tensor.data_location == tensor.EXTERNAL:
        flat = _external(tensor, folder, where, prod(shape), np.dtype(dtype))
    elif tensor.HasField("raw_data"):
        flat = _raw(tensor.raw_data, np.dtype(dtype), prod(shape), where)
    else:
        flat = _listed(getattr(tensor, field), np.dtype(dtype), prod(shape), where)
    return flat.reshape(shape)


def _raw(content: bytes, dtype: np.dtype, count: int, where: str) -> np.ndarray:
    if len(content) != count * dtype.itemsize:
        raise OnnxError(
            f"onnx: {where} holds {len(content)} bytes; its dims ask for {count * dtype.itemsize}"
        )
    return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype, copy=False)


def _listed(values: Any, dtype: np.dtype, count: int, where: str) -> np.ndarray:
    if len(values) != count:
        raise OnnxError(f"onnx: {where} holds {len(values)} values; its dims ask for {count}")
    wide = np.array(values, np.int64 if dtype.kind in "iub" else dtype)
    made = wide.astype(dtype)
    if dtype.kind in "iu" and not np.array_equal(made, wide):
        raise OnnxError(f"onnx: {where} holds values that do not fit {dtype}")
    return made


def _external(
    tensor: Any, folder: Path | None, where: str, count: int, dtype: np.dtype
) -> np.ndarray:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if folder is None:
        raise OnnxError(f"onnx: {where} lies outside the bytes; load the model from its path")
    numbers = (entries.get("offset", "0"), entries.get("length", str(count * dtype.itemsize)))
    if not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
        raise OnnxError(f"onnx: {where} has offset and length {numbers}; expected numbers >= 0")
    offset, length = map(int, numbers)
    file = _inside(folder, entries.get("location", ""), where)
    if length != count * dtype.itemsize or offset + length > file.stat().st_size:
        raise OnnxError(
            f"onnx: {where} is bytes {offset} to {offset + length} of {file.name}, which has "
            f"{file.stat().st_size}; its dims ask for {count * dtype.itemsize}"
        )
    if not count:
        return np.empty(0, dtype)
    return np.memmap(file, dtype.newbyteorder("<"), "r", offset, (count,))


def _inside(folder: Path, location: str, where: str) -> Path:
    """The file of external data: it must lie in the model's folder, links followed."""
    if not location or "\0" in location:
        raise OnnxError(f"onnx: {where} names no file of external data")
    file = (folder / location).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise OnnxError(f"onnx: {where} is in {location!r}, outside the model's folder; refused")
    if not file.is_file():
        raise OnnxError(f"onnx: {where} is in {location!r}, which is not there")
    return file
