"""Files that are no plans, plans that people edited: a line, never a wrong choice or a crash."""

import json
from dataclasses import replace
from random import Random

import pytest
from plan_parts import CONV, KEY, PROBLEM, chosen, file, ignored, made, other, own_choices, usual

from gpuconv import plans, registry
from gpuconv.device import CPU
from gpuconv.errors import DataError
from gpuconv.limits import limits
from gpuconv.plans.files import _loaded

__all__ = ["file", "own_choices"]
pytestmark = pytest.mark.usefixtures("own_choices")


def written(file, change):
    """The file of a plan that names another kernel, its parsed content changed."""
    plans.save(made(other()), file)
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


BROKEN = {
    "empty": (b"", "it is not JSON"),
    "cut short": (b'{"gpuconv_plan": 1, "machines": [', "it is not JSON"),
    "bytes": (b"\xff\xfe\x00", "it is not JSON"),
    "deep": (b"[" * 100_000, "it is not JSON"),
    "a list": (b"[]", "it is no plan: 'gpuconv_plan' is missing"),
    "other": (b'{"a": 1}', "it is no plan: 'gpuconv_plan' is missing"),
    "future": (b'{"gpuconv_plan": 2, "machines": 7}', "it is a plan of format 2, this gpuconv"),
    "true": (b'{"gpuconv_plan": true, "machines": []}', "it is a plan of format True"),
    "no list": (b'{"gpuconv_plan": 1, "machines": {}}', "it is no plan: 'machines' is no list"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_plan_of_this_format(file, caplog, name):
    content, reason = BROKEN[name]
    file.write_bytes(content)
    assert ignored(file, caplog).startswith(f"{file}: ignored: {reason}")
    with pytest.raises(DataError, match="move it away"):
        plans.open_or_new(file)
    assert file.read_bytes() == content


EDITED = {
    "kernel": ({"kernel": 7}, "kernel must be a name, got 7"),
    "no kernel": ({"kernle": "numba:direct"}, "kernel must be a name, got None"),
    "field": ({"kernel": "numba:direct", "why": "fast"}, "unknown why"),
    "times": ({"kernel": "numba:direct", "ms": [1]}, "ms must be milliseconds"),
    "negative": ({"kernel": "numba:direct", "ms": {"a": -1}}, "ms must be milliseconds"),
    "text": ({"kernel": "numba:direct", "ms": {"a": "1"}}, "ms must be milliseconds"),
    "infinite": ({"kernel": "numba:direct", "ms": {"a": float("inf")}}, "ms must be milliseconds"),
    "list": (["numba:direct"], 'expected {"kernel": NAME'),
}


@pytest.mark.parametrize("name", EDITED)
def test_a_line_that_was_edited_wrongly_is_ignored_and_no_other(file, caplog, name):
    line, reason = EDITED[name]
    more = replace(PROBLEM, n=7)

    def change(content):
        kernels = content["machines"][0]["kernels"]
        kernels[plans.key("conv2d", more)] = kernels[KEY]
        kernels[KEY] = line

    expected = other()
    said = ignored(written(file, change), caplog)
    assert said.startswith(f"{file}: parts of it are ignored: '{KEY}': {reason}")
    with limits(plan=file):
        assert registry.choose(CONV, more, CPU).name == expected


@pytest.mark.parametrize("part", ["device", "versions", "kernels"])
def test_a_machine_without_a_part_is_ignored(file, caplog, part):
    def change(content):
        content["machines"][0][part] = 1

    assert "machine 1: expected device, versions, kernels" in ignored(written(file, change), caplog)


@pytest.mark.parametrize("part", ["device", "versions"])
def test_a_machine_whose_facts_are_none_is_ignored(file, caplog, part):
    def change(content):
        content["machines"][0][part] = {"kind": ["cpu"]}

    said = ignored(written(file, change), caplog)
    assert "machine 1: expected names and numbers in device and versions" in said


def test_what_is_unknown_elsewhere_is_said_and_the_plan_used(file, caplog):
    def change(content):
        content["note"] = content["machines"][0]["colour"] = 1

    assert chosen(written(file, change)) == other()
    (line,) = caplog.messages
    assert line.endswith("ignored: it: unknown note; machine 1: unknown colour")


def test_many_faults_are_one_line(file, caplog):
    def change(content):
        content["machines"] = [1, 2, 3, 4, 5]

    assert ignored(written(file, change), caplog).endswith("and 2 more")


def test_hostile_names_stay_in_one_line(file, caplog):
    def change(content):
        content["machines"][0]["kernels"] = {"a\nb" * 999: 1}
        content["machines"][0]["device"] = {"kind": "cpu", "name": "x\ny"}

    usual()
    with limits(plan=written(file, change)):
        registry.choose(CONV, PROBLEM, CPU)
    assert len(caplog.messages) == 2
    assert not any("\n" in line or len(line) > 600 for line in caplog.messages)


JUNK = (None, True, 1, -1, 1e400, "x", "", [], {}, [[]], {"kernel": {}}, 10**40, "\ud800", "a\nb")


def damaged(draw, value):
    """The same with parts gone, doubled, renamed, or something else."""
    if draw.random() < 0.15:
        return draw.choice(JUNK)
    if isinstance(value, dict):
        kept = [pair for pair in value.items() if draw.random() > 0.1]
        names = ("kernel", "ms", "device", "\ud800")
        return {
            name if draw.random() < 0.9 else draw.choice(names): damaged(draw, part)
            for name, part in kept
        }
    if isinstance(value, list):
        return [damaged(draw, one) for one in value for _ in range(draw.choice((0, 1, 1, 2)))]
    return value


def test_no_damage_makes_a_crash_or_a_kernel_that_may_not_be_taken(file):
    plans.save(made(other(), usual=0.1), file)
    whole, draw = json.loads(file.read_text()), Random(0)
    for _ in range(80):
        file.write_text(json.dumps(damaged(draw, whole)))
        _loaded.cache_clear()
        assert chosen(file) in (usual(), other())
        plan = plans.load(file).adopted(CPU).having(CPU, {})
        plans.save(plan, file)
        plans.open_or_new(file)
