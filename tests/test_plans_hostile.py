"""Files that are no plans, plans that people edited: a line, never a wrong choice or a crash."""

import json
from dataclasses import replace

import pytest
from plan_parts import CONV, KEY, PROBLEM, chosen, file, ignored, made, other, own_choices, usual

from gpuconv import plans, registry
from gpuconv.device import CPU
from gpuconv.errors import DataError
from gpuconv.limits import limits

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
        content["machines"][0]["device"] = {"kind": "cpu", "name": "x\ny", "deep": [{"z": 1}]}

    usual()
    with limits(plan=written(file, change)):
        registry.choose(CONV, PROBLEM, CPU)
    assert len(caplog.messages) == 2
    assert not any("\n" in line or len(line) > 600 for line in caplog.messages)
