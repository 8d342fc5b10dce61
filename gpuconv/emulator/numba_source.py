"""Kernels in Python made ready to run: other names in their place, and threads that can wait.

A function that waits for other threads becomes a generator: ``cuda.syncthreads()`` becomes
``(yield cuda.syncthreads())``, and a call of a device function that waits ``(yield from ...)``.
Nothing else changes: names, lines and values stay what they were.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import CellType, FunctionType
from typing import Any

from ..errors import KernelError

COLLECTIVES = frozenset(
    (
        *("syncthreads", "syncthreads_and", "syncthreads_count", "syncthreads_or", "syncwarp"),
        *("shfl_sync", "shfl_down_sync", "shfl_up_sync", "shfl_xor_sync"),
        *("all_sync", "any_sync", "ballot_sync"),
    )
)
Replace = Callable[[Any], Any]


def is_cuda(value: Any) -> bool:
    """Whether a kernel's global stands for Numba's module ``cuda``."""
    name = getattr(value, "__name__", None)
    return isinstance(name, str) and name.rpartition(".")[2] == "cuda"


def is_jitted(value: Any) -> bool:
    """Whether this was decorated with ``cuda.jit``."""
    return hasattr(value, "py_func")


def used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals, and variables of functions around it, that a function may use."""
    names = function.__code__.co_names
    yield from ((n, function.__globals__[n]) for n in names if n in function.__globals__)
    cells = function.__closure__ or ()
    free = zip(function.__code__.co_freevars, cells, strict=True)
    yield from ((name, cell.cell_contents) for name, cell in free)


def waits(function: FunctionType) -> bool:
    """Whether a thread may wait for another in this function, or in one that it calls."""
    if not COLLECTIVES.isdisjoint(function.__code__.co_names):
        return True
    return any(waits(value.py_func) for _, value in used(function) if is_jitted(value))


def rebound(function: FunctionType, replace: Replace) -> FunctionType:
    """The same code with ``replace(value)`` for every value that it uses from outside."""
    outside = {name: replace(value) for name, value in used(function)}
    code = function.__code__
    cells = tuple(CellType(outside[name]) for name in code.co_freevars)
    scope = function.__globals__ | outside
    made = FunctionType(code, scope, function.__name__, function.__defaults__, cells)
    made.__module__, made.__qualname__ = function.__module__, function.__qualname__
    return made


def stopping(function: FunctionType, replace: Replace) -> Callable:
    """As ``rebound``, but a generator of what a thread waits for; raises KernelError."""
    tree, before = _tree(function), dict(used(function))
    _Stopping(before).visit(tree)
    code = compile(ast.fix_missing_locations(tree), function.__code__.co_filename, "exec")
    scope = function.__globals__ | {name: replace(value) for name, value in before.items()}
    exec(code, scope)
    return scope[function.__name__]


def _tree(function: FunctionType) -> ast.Module:
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except OSError:
        raise KernelError(
            f"{function.__name__}: its source cannot be read, and it has barriers; define it in a "
            "file"
        ) from None
    tree = ast.parse(text)
    ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    (definition,) = tree.body
    definition.decorator_list = []  # type: ignore[attr-defined]
    return tree


class _Stopping(ast.NodeTransformer):
    def __init__(self, scope: dict[str, Any]) -> None:
        self._scope = scope

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in COLLECTIVES:
            return ast.copy_location(ast.Yield(node), node)
        callee: Any = self._scope.get(called.id) if isinstance(called, ast.Name) else None
        if is_jitted(callee) and waits(callee.py_func):
            return ast.copy_location(ast.YieldFrom(node), node)
        return node
