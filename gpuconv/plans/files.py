"""Plans on disk: read with suspicion, since people edit them; written whole or not at all."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from .. import _cache
from ..errors import DataError, DeviceError
from .plan import Entry, Plan, Section

FORMAT, KIND = 1, "gpuconv_plan"  # the version of the format, and the name that it stands by
VARIABLE, NONE = "GPUCONV_PLAN", "none"
FILE = "plan.json"
SHIPPED = Path(__file__).parent  # *.json: plans for known devices, where any came with the package
SHOWN = 3  # faults of one file that are told in words
Fault = tuple[str, str]  # where in the file, and what is wrong there


def place() -> Path | None:
    """The file of this machine's plan: ``$GPUCONV_PLAN``, else in the cache.

    None where that variable is "none".
    """
    named = os.environ.get(VARIABLE)
    if named == NONE:
        return None
    return Path(named) if named else _cache.wanted() / FILE


@cache
def usual() -> Plan:
    """What holds unless ``limits(plan=...)`` gives another: what was shipped, then ``place()``.

    Read once in a process.
    """
    shipped = Plan()
    for path in sorted(SHIPPED.glob("*.json")):
        shipped = shipped.merged(load(path))
    mine, behind = place(), shipped if shipped.sections else None
    found = load(mine) if mine is not None and mine.is_file() else Plan()
    return Plan(found.sections, found.where, behind, is_usual=True)


def load(path: str | os.PathLike) -> Plan:
    """The plan in a file; what is damaged or unknown in it is ignored, and a line says so.

    The same object as long as the file does not change. Raises DataError where there is no file
    that can be read.
    """
    file = Path(path)
    try:
        found = file.stat()
        return _loaded(file, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise DataError(
            f"{file}: no plan can be read here ({error.strerror or error}); gpuconv tune makes one"
        ) from None


@lru_cache(16)
def _loaded(file: Path, changed: int, size: int) -> Plan:
    try:
        sections, faults = _parsed(file.read_bytes())
    except ValueError as error:
        Plan(where=str(file)).say(f"ignored: {error}")
        return Plan(where=str(file))
    plan = Plan(sections, str(file))
    if faults:
        more = f", and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        told = "; ".join(f"{where}: {what}" for where, what in faults[:SHOWN])
        plan.say(f"parts of it are ignored: {told}{more}")
    return plan


def open_or_new(path: str | os.PathLike) -> Plan:
    """The plan in a file, or an empty one for a file that is not there.

    Raises DataError for a file that is no plan of this format: it would be written over.
    """
    file = Path(path)
    if not file.exists():
        return Plan(where=str(file))
    try:
        _parsed(file.read_bytes())
    except ValueError as error:
        raise DataError(f"{file}: {error}; move it away, or name another file") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from None
    return load(file)


def save(plan: Plan, path: str | os.PathLike) -> None:
    """Write the file whole or not at all; raises DeviceError if it cannot be written."""
    file = Path(path)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text(plan), encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DeviceError(
            f"{file}: the plan cannot be written ({error.strerror or error}); name another file"
        ) from None


# ---- the text --------------------------------------------------------------------------------


def text(plan: Plan) -> str:
    """The file's content: sorted, a line for each problem, so that a diff says what changed."""
    sections = sorted(plan.sections, key=lambda section: section.place)
    body = ",\n".join(map(_section_text, sections))
    return f'{{\n"{KIND}": {FORMAT},\n"machines": [\n{body}\n]\n}}\n'


def _section_text(section: Section) -> str:
    lines = [
        f"  {json.dumps(name)}: {json.dumps(_line(entry))}"
        for name, entry in sorted(section.entries.items())
    ]
    entries = "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"
    device, versions = json.dumps(section.device), json.dumps(section.versions)
    return f'{{"device": {device},\n "versions": {versions},\n "kernels": {entries}}}'


def _line(entry: Entry) -> dict[str, Any]:
    """An entry as it is written: milliseconds of four digits, the fastest first."""
    ordered = sorted(entry.seconds.items(), key=lambda pair: pair[1])
    times = {name: float(f"{1e3 * seconds:.4g}") for name, seconds in ordered}
    return {"kernel": entry.kernel, **({"ms": times} if times else {})}


# ---- and back --------------------------------------------------------------------------------


def _parsed(content: bytes) -> tuple[list[Section], list[Fault]]:
    """What a file holds, and what in it cannot be used; ValueError says why it is no plan."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if not isinstance(found, dict) or KIND not in found:
        raise ValueError(f"it is no plan: {KIND!r} is missing")
    version = found[KIND]
    if version != FORMAT or isinstance(version, bool):
        raise ValueError(f"it is a plan of format {version!r:.40}, this gpuconv reads {FORMAT}")
    machines = found.get("machines")
    if not isinstance(machines, list):
        raise ValueError("it is no plan: 'machines' is no list")
    faults = [_unknown("it", found, {KIND, "machines"})]
    sections = []
    for number, given in enumerate(machines, 1):
        section = _section(f"machine {number}", given, faults)
        sections += [section] if section else []
    return sections, [fault for fault in faults if fault is not None]


SECTION = ("device", "versions", "kernels")


def _section(where: str, given: Any, faults: list[Fault | None]) -> Section | None:
    parts: list[Any] = [given.get(name) for name in SECTION] if isinstance(given, dict) else [None]
    if not all(isinstance(part, dict) for part in parts):
        faults.append((where, f"expected {', '.join(SECTION)}, each in braces"))
        return None
    device, versions, kernels = parts
    if not all(isinstance(fact, str | int) for fact in (*device.values(), *versions.values())):
        faults.append((where, "expected names and numbers in device and versions"))
        return None
    faults.append(_unknown(where, given, SECTION))
    entries = {}
    for name, line in kernels.items():
        wrong = _wrong(line)
        faults.append((f"{name!r:.120}", wrong) if wrong else None)
        if wrong is None:
            times = line.get("ms", {}).items()
            entries[name] = Entry(line["kernel"], {kernel: ms / 1e3 for kernel, ms in times})
    return Section(device, versions, entries)


def _unknown(where: str, given: Mapping[str, Any], known: Iterable[str]) -> Fault | None:
    names = [name for name in given if name not in known]
    return (where, f"unknown {', '.join(names)}") if names else None


def _wrong(line: Any) -> str | None:
    """What is wrong with a problem's line, or None."""
    return next(_wrongs(line), None)


def _wrongs(line: Any) -> Iterator[str]:
    if not isinstance(line, dict):
        yield 'expected {"kernel": NAME, "ms": {NAME: NUMBER}}'
        return
    if not isinstance(line.get("kernel"), str):
        yield f"kernel must be a name, got {line.get('kernel')!r:.40}"
    times = line.get("ms", {})
    if not isinstance(times, dict) or not all(map(_is_time, times.values())):
        yield "ms must be milliseconds by the kernel's name"
    names = [name for name in line if name not in ("kernel", "ms")]
    if names:
        yield f"unknown {', '.join(names)}"


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < 1e12 and isfinite(value)
