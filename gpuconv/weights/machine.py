"""A pickle machine that can only build plain values and tensors: nothing is imported or called.

Python's own unpickler imports what a file names and calls it, and trusts the sizes that a file
claims. Here ``pickletools`` splits the bytes into opcodes, names stay names, and the few calls that
tensors need are looked up in a table that the caller gives. What an opcode means:
Lib/pickletools.py.
"""

import pickletools
import struct
from collections.abc import Callable, Mapping
from typing import IO, Any

from ..errors import WeightsError

MAX_OPCODES = 500_000  # a net of 1,000 tensors has about 50,000
_KEYS = (str, int, float, bool, bytes, type(None))  # hashing nested tuples recurses without bound

_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}


class Call:
    """A name that a file may use: ``Call(value)`` stands for itself, or is what REDUCE calls."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make


def shown(value: Any) -> str:
    """A value from a file as an error shows it: short, and never a number of a million digits."""
    if isinstance(value, str):
        return repr(value[:80])
    return f"{value}" if type(value) is int and abs(value) < 2**64 else f"a {type(value).__name__}"


class Machine:
    """Reads one pickle from ``file``; ``names`` are the globals it may use, all else is refused.

    ``persistent`` gives the value of a persistent id. ``run`` raises WeightsError (without the
    file's name) for anything that is damaged or not allowed.
    """

    def __init__(
        self, file: IO[bytes], names: Mapping[str, Any], persistent: Callable[[Any], Any]
    ) -> None:
        self.file, self.names, self.persistent = file, names, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle holds; the file is left behind it."""
        opcodes = pickletools.genops(self.file)
        for _ in range(MAX_OPCODES):
            try:
                opcode, arg, _ = next(opcodes)
                if opcode.name == "STOP":
                    return self.pop()
                self.step(opcode.name, arg)
            except (ValueError, OverflowError, struct.error, StopIteration) as error:
                if isinstance(error, WeightsError):
                    raise
                raise WeightsError(f"a damaged pickle ({str(error)[:80]})") from None
        raise WeightsError(f"a pickle of more than {MAX_OPCODES:,} opcodes, which no net needs")

    def step(self, name: str, arg: Any) -> None:
        """Do one opcode."""
        if name in _VALUES:
            self.stack.append(arg)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif (action := getattr(self, f"do_{name.lower()}", None)) is not None:
            action(arg)
        else:
            raise WeightsError(f"the pickle opcode {name}, which no file of tensors needs")

    def pop(self) -> Any:
        """The topmost value, which no open mark may hide."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise WeightsError("a damaged pickle (it takes a value that was never there)")
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        """Everything above the last mark."""
        if not self.marks:
            raise WeightsError("a damaged pickle (it takes a mark that was never set)")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def top(self, kind: type) -> Any:
        """The topmost value, left there; it has to be of this very type."""
        value = self.pop()
        if type(value) is not kind:
            raise WeightsError(f"a damaged pickle ({shown(value)} where a {kind.__name__} belongs)")
        self.stack.append(value)
        return value

    def fill(self, items: list[Any]) -> None:
        """Put keys and values, in turn, into the dict on top."""
        target = self.top(dict)
        target.update(pairs(items))

    def name(self, name: Any) -> None:
        """Push what a global stands for; refuse it by its name if it is none of ours."""
        found = self.names.get(name)
        if found is None:
            raise WeightsError(
                f"the name {shown(name.replace(' ', '.'))}: code, not a tensor, and it was not run"
            )
        self.stack.append(found)

    # One method for each opcode, by its name.

    def do_proto(self, arg: Any) -> None: ...

    def do_frame(self, arg: Any) -> None: ...

    def do_mark(self, arg: Any) -> None:
        self.marks.append(len(self.stack))

    def do_pop(self, arg: Any) -> None:
        self.pop()

    def do_pop_mark(self, arg: Any) -> None:
        self.pop_mark()

    def do_tuple(self, arg: Any) -> None:
        self.stack.append(tuple(self.pop_mark()))

    def do_list(self, arg: Any) -> None:
        self.stack.append(self.pop_mark())

    def do_dict(self, arg: Any) -> None:
        self.stack.append(pairs(self.pop_mark()))

    def do_tuple1(self, arg: Any) -> None:
        self.stack.append((self.pop(),))

    def do_tuple2(self, arg: Any) -> None:
        last = self.pop()
        self.stack.append((self.pop(), last))

    def do_tuple3(self, arg: Any) -> None:
        last, middle = self.pop(), self.pop()
        self.stack.append((self.pop(), middle, last))

    def do_append(self, arg: Any) -> None:
        item = self.pop()
        self.top(list).append(item)

    def do_appends(self, arg: Any) -> None:
        items = self.pop_mark()
        self.top(list).extend(items)

    def do_setitem(self, arg: Any) -> None:
        value = self.pop()
        self.fill([self.pop(), value])

    def do_setitems(self, arg: Any) -> None:
        self.fill(self.pop_mark())

    def do_put(self, arg: Any) -> None:
        value = self.pop()
        self.memo[arg] = value
        self.stack.append(value)

    do_binput = do_long_binput = do_put

    def do_memoize(self, arg: Any) -> None:
        self.do_put(len(self.memo))

    def do_get(self, arg: Any) -> None:
        if arg not in self.memo:
            raise WeightsError("a damaged pickle (it refers to what it never named)")
        self.stack.append(self.memo[arg])

    do_binget = do_long_binget = do_get

    def do_global(self, arg: Any) -> None:
        self.name(arg)

    def do_stack_global(self, arg: Any) -> None:
        name, module = self.pop(), self.pop()
        self.name(f"{module} {name}" if {type(name), type(module)} == {str} else "?")

    def do_binpersid(self, arg: Any) -> None:
        self.stack.append(self.persistent(self.pop()))

    def do_reduce(self, arg: Any) -> None:
        given, called = self.pop(), self.pop()
        if not isinstance(called, Call) or type(given) is not tuple:
            raise WeightsError(f"a call of {shown(called)}; only tensors are built")
        self.stack.append(called.make(given))

    def do_build(self, arg: Any) -> None:
        self.pop()  # the attributes of a dict, as state_dict()._metadata: not needed
        self.top(dict)


def pairs(items: list[Any]) -> dict[Any, Any]:
    """Keys and values, in turn, as a dict."""
    keys = items[::2]
    if len(items) % 2 or not all(type(key) in _KEYS for key in keys):
        raise WeightsError(
            "a damaged pickle (a key without a value, or one that is no plain value)"
        )
    return dict(zip(keys, items[1::2], strict=True))
