"""Arguments of a launch are checked against the entry's parameters, the same on every device."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DtypeError, ShapeError

if TYPE_CHECKING:
    from .source import Parameter

TYPES = {
    "float": "float32",
    "double": "float64",
    "int": "int32",
    "unsigned": "uint32",
    "unsigned int": "uint32",
    "long long": "int64",
    "unsigned long long": "uint64",
    "char": "int8",
    "signed char": "int8",
    "unsigned char": "uint8",
}


def check_arguments(
    entry: str, parameters: "Sequence[Parameter]", macros: dict[str, str], args: Sequence[Any]
) -> None:
    """Raise DtypeError or ShapeError unless ``args`` fit: count, dtype, contiguity, alignment.

    Python numbers are refused: CuPy would send them as 64 bits whatever the kernel expects.
    """
    if len(args) != len(parameters):
        raise ShapeError(f"{entry}: got {len(args)} arguments, expected {len(parameters)}")
    for parameter, argument in zip(parameters, args, strict=True):
        where = f"{entry}: argument {parameter.name}"
        kind = macros.get(parameter.type, parameter.type)
        wanted = TYPES.get(kind)
        if parameter.pointer:
            _array(where, argument, wanted)
        else:
            _scalar(where, argument, wanted, kind)


def _array(where: str, argument: Any, wanted: str | None) -> None:
    if isinstance(argument, np.generic) or not hasattr(argument, "strides"):
        raise DtypeError(f"{where} is {type(argument).__name__}, expected an array")
    if wanted is not None and argument.dtype.name != wanted:
        raise DtypeError(f"{where} is {argument.dtype}, expected {wanted}")
    if not argument.flags.c_contiguous:
        raise ShapeError(f"{where} is not contiguous; pass numpy.ascontiguousarray of it")
    flags = getattr(argument.flags, "aligned", True)
    if not flags:
        raise ShapeError(f"{where} is not aligned to its {argument.dtype.itemsize}-byte elements")


def _scalar(where: str, argument: Any, wanted: str | None, kind: str) -> None:
    if not isinstance(argument, np.generic):
        raise DtypeError(
            f"{where} is a Python {type(argument).__name__}, expected a NumPy scalar ({kind}): a "
            "Python number would be sent as 64 bits"
        )
    if wanted is not None and argument.dtype.name != wanted:
        raise DtypeError(f"{where} is {argument.dtype}, expected {wanted}")
    if wanted is None and argument.dtype.kind != "V":
        raise DtypeError(f"{where} is {argument.dtype}, expected a structured scalar for {kind}")
