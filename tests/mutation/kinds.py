"""The small changes: each turns the code of a line into others that differ in one place."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .code import ROOT, code

Changes = Iterator[str]
KINDS: dict[str, Callable[[str], Changes]] = {}
# A statement begins at the line's start, behind another one, or behind a condition.
_BEGIN = r"(?:^[ ]*|(?<=[;{)][ ])|(?<=else ))"
_TYPE = r"(?:REAL|INDEX|bool|double|float|int|long long|unsigned(?: long long)?)"
# `REAL part[4];`, but not `else part[4] = 0;`
_DECLARATION = re.compile(r"\b(?!return\b|else\b)[\w>]+ \w+(?:\[[^\]]*\])+\s*[;,={]")
_NUMBER = re.compile(r"(?<![\w.])(0[xX][0-9a-fA-F]+|\d+)(?=[uUlL]*(?![\w.]))")
_WORD = r"[\w.]*\w(?:\[\w+\])?"
_COMMUTES = {  # functions that do not tell their first two arguments apart
    *("__dadd_rn", "__dmul_rn", "__fadd_rn", "__fmul_rn", "__mulhi", "__umulhi"),
    *("add_product", "fma", "fmaf", "larger", "lesser", "max", "min", "multiply_add"),
}


@dataclass(frozen=True)
class Mutant:
    """One changed line of a source. Without the line's number it is a key that outlives shifts."""

    file: str  # relative to the repository
    number: int  # of the line, from 0
    function: str
    kind: str
    before: str  # the whole line
    after: str

    @property
    def key(self) -> tuple[str, ...]:
        """What an entry in the list of equivalent mutants names."""
        return self.file, self.function, self.kind, self.before.strip(), self.after.strip()

    def __str__(self) -> str:
        where = f"{self.file}:{self.number + 1}"
        return f"{where} {self.kind}: {self.before.strip()} -> {self.after.strip()}"


def mutants(file: str) -> list[Mutant]:
    """Every mutant of a source, in the order of its lines."""
    text = (ROOT / file).read_text()
    lines, found = text.splitlines(), {}
    for part in code(text):
        for kind, change in KINDS.items():
            line, behind = lines[part.number], part.start + len(part.text)
            for changed in change(part.text):
                after = line[: part.start] + changed + line[behind:]
                made = Mutant(file, part.number, part.function, kind, line, after)
                if changed != part.text:
                    found.setdefault((part.number, after), made)
    return list(found.values())


def mutated(mutant: Mutant) -> str:
    """The whole source with the one line changed."""
    lines = (ROOT / mutant.file).read_text().splitlines()
    lines[mutant.number] = mutant.after
    return "\n".join(lines) + "\n"


def _kind(change: Callable[[str], Changes]) -> Callable[[str], Changes]:
    KINDS[change.__name__.strip("_")] = change
    return change


def _replaced(text: str, pattern: str, new: Callable[[re.Match[str]], str]) -> Changes:
    for found in re.finditer(pattern, text):
        yield text[: found.start()] + new(found) + text[found.end() :]


def _turned(text: str, pattern: str, pairs: dict[str, str]) -> Changes:
    return _replaced(text, pattern, lambda found: pairs[found[0]])


@_kind
def _barrier(text: str) -> Changes:
    """A barrier, a fence or a wait is gone."""
    name = r"__sync\w+|__threadfence\w*|\w*_wait\w*(?:<[^;]*>)?"
    return _replaced(text, rf"{_BEGIN}(?:{name})\([^;]*\);", lambda found: _indent(found[0]) + ";")


@_kind
def _comparison(text: str) -> Changes:
    """An edge is one off."""
    pairs = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
    return _turned(text, r"(?<=[ ])(?:<=|>=|<|>)(?=[ ])", pairs)


@_kind
def _arithmetic(text: str) -> Changes:
    """A sum is a difference, a product a sum, a quotient a remainder."""
    pairs = {"+": "-", "-": "+", "*": "+", "/": "%", "%": "/"}
    yield from _turned(text, r"(?<=[\w)\] ] )[-+*/%](?= )", pairs)
    pairs = {"+=": "-=", "-=": "+=", "*=": "+=", "/=": "%=", "%=": "/="}
    yield from _turned(text, r"(?<= )[-+*/%]=(?= )", pairs)
    yield from _turned(text, r"\+\+|--", {"++": "--", "--": "++"})


@_kind
def _bits(text: str) -> Changes:
    """A bit operation is another one."""
    pairs = {"&": "|", "|": "&", "^": "|", "<<": ">>", ">>": "<<"}
    return _turned(text, r"(?<= )(?:<<|>>|[&|^])(?= )", pairs)


@_kind
def _index(text: str) -> Changes:
    """An index is one too large."""
    if not _DECLARATION.search(text):
        yield from _replaced(text, r"(?<=[\w\])])\[([^\[\]]+)\]", lambda found: f"[{found[1]} + 1]")


@_kind
def _constant(text: str) -> Changes:
    """A number is one larger; the size of an array one less, as a larger one changes nothing."""
    by = -1 if _DECLARATION.search(text) else 1
    return _replaced(text, _NUMBER.pattern, lambda found: str(int(found[1], 0) + by))


@_kind
def _swap(text: str) -> Changes:
    """Two arguments, or the two operands of - / %, have changed places."""
    yield from _replaced(
        text,
        rf"(?<![\w.\]])({_WORD}) ([-/%]|<<|>>) ({_WORD})(?![\w.(\[])",
        lambda found: f"{found[3]} {found[2]} {found[1]}" if found[1] != found[3] else found[0],
    )
    for found in re.finditer(r"\b(\w+)(?:<[\w, ]+>)?\(", text):
        if found[1] not in ("for", "if", "sizeof", "switch", "while") and not found[1].isupper():
            yield from _exchanged(text, found[1], found.end())


def _exchanged(text: str, name: str, start: int) -> Changes:
    end = _close(text, start)
    parts = _parts(text[start:end]) if end else []
    if any(re.match(r"\s*(?:const )?\w+[*&]? \w+$", part) for part in parts):
        return  # parameters of a definition
    for i in range(len(parts) - 1):
        first, second = parts[i].strip(), parts[i + 1].strip()
        if first != second and not (i == 0 and name in _COMMUTES):
            changed = [p.strip() for p in (*parts[:i], second, first, *parts[i + 2 :])]
            yield text[:start] + ", ".join(changed) + text[end:]


@_kind
def _guard(text: str) -> Changes:
    """A condition always holds, or never."""
    for start, end in _conditions(text):
        for value in ("true", "false"):
            yield text[:start] + value + text[end:]


@_kind
def _negation(text: str) -> Changes:
    """A condition is turned round, or one of its parts joined the other way."""
    for start, end in _conditions(text):
        yield f"{text[:start]}!({text[start:end]}){text[end:]}"
    pairs = {"==": "!=", "!=": "==", "&&": "||", "||": "&&"}
    yield from _turned(text, r"(?<= )(?:==|!=|&&|\|\|)(?= )", pairs)


@_kind
def _branches(text: str) -> Changes:
    """The two values of a ? b : c have changed places."""
    for at in (found.start() for found in re.finditer(r"\?", text)):
        colon = _next(text, at + 1, ":")
        end = _next(text, colon + 1, ",;)]}") if colon else None
        if colon and end:
            first, second = text[at + 1 : colon].strip(), text[colon + 1 : end].strip()
            yield f"{text[:at]}? {second} : {first}{text[end:]}"


@_kind
def _accumulation(text: str) -> Changes:
    """A term is not added."""
    grown = r"[\w.\[\]]+ (?:[-+*|^]|<<|>>)= [^;]*;"
    added = r"[\w.\[\]]+\.add\([^;]*\);"
    folded = r"([\w.\[\]]+) = (?:\w+\([^;]*\b\1\)|\1 [+^|] [^;]*);"
    pattern = rf"{_BEGIN}(?:{grown}|{added}|{folded})"
    return _replaced(text, pattern, lambda found: _indent(found[0]) + ";")


@_kind
def _initialisation(text: str) -> Changes:
    """A variable or an element is not set."""
    yield from _replaced(text, rf"{_BEGIN}({_TYPE} \w+) = [^;,]*;", _without_value)
    assignment = rf"{_BEGIN}(?!else )[*]?[\w.\[\]+*% ]*[\w\]] = [^;]*;"
    for found in re.finditer(assignment, text):
        if not re.match(rf"\s*(?:const|{_TYPE}|for)\b", found[0]):
            yield text[: found.start()] + _indent(found[0]) + ";" + text[found.end() :]


def _without_value(found: re.Match[str]) -> str:
    return f"{_indent(found[0])}{found[1]};"


def _indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _conditions(text: str) -> Iterator[tuple[int, int]]:
    """Where the conditions of ifs, and those before a question mark, begin and end."""
    for found in re.finditer(r"\bif \(", text):
        end = _close(text, found.end())
        if end:
            yield found.end(), end
    for found in re.finditer(r" \?", text):
        start = _previous(text, found.start())
        if text[start : found.start()].strip():
            yield start, found.start()


def _close(text: str, start: int) -> int | None:
    """Where the bracket that was opened before ``start`` closes; None: on another line."""
    return _next(text, start, ")")


def _next(text: str, start: int, wanted: str) -> int | None:
    """The next of these letters outside of brackets."""
    depth = 0
    for at in range(start, len(text)):
        if depth == 0 and text[at] in wanted and text[at : at + 2] != "::":
            return at
        depth += (text[at] in "([{") - (text[at] in ")]}")
        if depth < 0:
            return None
    return None


def _previous(text: str, end: int) -> int:
    """Where the expression that ends at ``end`` begins."""
    depth = 0
    for at in range(end - 1, -1, -1):
        depth += (text[at] in ")]") - (text[at] in "([")
        assigned = text[at] == "=" and text[at - 1] == " " and text[at + 1] == " "
        if depth < 0 or (depth == 0 and (text[at] in ",;{" or assigned)):
            return at + 1 + (text[at + 1] == " ")
        if depth == 0 and text[:end].startswith("return ", at):
            return at + len("return ")
    return len(text) - len(text.lstrip())


def _parts(text: str) -> list[str]:
    """What the commas outside of brackets divide."""
    found, start = [], 0
    while (comma := _next(text, start, ",")) is not None:
        found.append(text[start:comma])
        start = comma + 1
    return [*found, text[start:]]
