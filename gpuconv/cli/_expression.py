"""Sums of names, as ``n*k`` or ``4*(c+1)``: how many blocks, threads and bytes a launch takes."""

import ast
import operator
from collections.abc import Mapping

from ..errors import OptionError

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
}


def evaluate(option: str, text: str, names: Mapping[str, int | float]) -> int:
    """``text`` with + - * / % on whole numbers and ``names``, / rounded down as in C.

    Raises OptionError naming ``option`` for anything else, or for less than 0.
    """
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body, names)
    except KeyError as error:
        known = ", ".join(sorted(names))
        raise OptionError(f"{option} {text}: no number named {error}; there are {known}") from None
    except (SyntaxError, TypeError, ArithmeticError, RecursionError):
        raise OptionError(
            f"{option} {text}: expected whole numbers, names and + - * / %, as n*k"
        ) from None
    if value < 0:
        raise OptionError(f"{option} {text}: is {value}, expected at least 0")
    return value


def _value(node: ast.expr, names: Mapping[str, int | float]) -> int:
    if isinstance(node, ast.Name):
        return operator.index(names[node.id])  # type: ignore[arg-type]
    if isinstance(node, ast.Constant):
        return operator.index(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, names), _value(node.right, names)
        return int(_OPERATORS[type(node.op)](left, right))
    raise TypeError(node)
