"""docs/add-a-kernel.md, followed word for word in a copy of the tree; the other new pages run."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from house_rules import ROOT, files
from test_readme import commands, fences, parse

from gpuconv.benchmarks import choosing

DOCS = ROOT / "docs"
PAGE = DOCS / "add-a-kernel.md"
STEP = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITE = re.compile(r"Write `([^`]+)`:\s*$")


def steps(text):
    """What a reader does: (file, content) to write, or ("python" or "bash", block) to run."""
    for found in STEP.finditer(text):
        named = WRITE.search(text[: found.start()])
        yield (named[1] if named else found[1]), found[2]


def tools(folder):
    """``gpuconv`` and ``pytest`` as programs, of this Python."""
    for name in ("gpuconv", "pytest"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name} "$@"\n')
        program.chmod(0o755)
    return folder


def copied(folder):
    for path in files(ROOT):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


def untouched(tree):
    """Every file's content, but for what a run leaves behind."""
    return {
        p.relative_to(tree).as_posix(): p.read_bytes()
        for p in tree.rglob("*")
        if p.is_file() and not {"__pycache__", ".hypothesis", ".pytest_cache"} & set(p.parts)
    }


@pytest.mark.slow
def test_the_page_is_followed_word_for_word(tmp_path):
    tree, bin = copied(tmp_path / "tree"), tmp_path / "bin"
    bin.mkdir()
    path = f"{tools(bin)}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(tree)}
    before, said = untouched(tree), {}
    for what, block in steps(PAGE.read_text(encoding="utf-8")):
        if what not in ("bash", "python"):
            (tree / what).write_text(block)
            continue
        lines = [block] if what == "python" else block.splitlines()
        for line in lines:
            command = [sys.executable, "-c", line] if what == "python" else ["bash", "-c", line]
            done = subprocess.run(
                command, cwd=tree, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            said[line] = done.stdout
    require_found(said)
    added = {"kernels/conv2d/numpy_pointwise.py", "my_relu.py"}
    after = untouched(tree)
    assert set(after) - set(before) == added
    assert {name: after[name] for name in before} == before


def require_found(said):
    """Both kernels were found by every command."""
    for kernel in ("numpy:pointwise", "numpy:clipped"):
        for command in ("kernels", "bench", "explain"):
            texts = [text for line, text in said.items() if f"gpuconv {command} " in line]
            assert any(kernel in text for text in texts), (command, kernel)
        checked = [text for line, text in said.items() if line.startswith("gpuconv check")]
        assert any(kernel in text for text in checked), checked
    tests = next(text for line, text in said.items() if line.startswith("pytest"))
    assert int(re.search(r"(\d+) passed", tests)[1]) > 20
    assert "[0. 0. 2.]\n[0. 0. 2.]" in next(
        t for line, t in said.items() if "import my_relu" in line
    )
    explained = next(t for line, t in said.items() if "explain n=4" in line)
    assert re.search(r"\* numpy:pointwise .* the lowest predicted time", explained)


def test_every_command_on_the_pages_exists():
    for name in ("add-a-kernel.md", "choosing.md"):
        text = re.sub(r"^GPUCONV_\w+=\S+ ", "", (DOCS / name).read_text(), flags=re.MULTILINE)
        found = commands(text)
        assert found, name
        for arguments in found:
            parse(arguments)


def test_a_step_is_a_file_to_write_or_a_block_to_run():
    text = "Write `a/b.py`:\n\n```python\nx = 1\n```\n\nand\n\n```bash\nls\n```\n"
    assert list(steps(text)) == [("a/b.py", "x = 1\n"), ("bash", "ls\n")]


@pytest.mark.slow
def test_the_outputs_in_choosing_are_what_the_commands_print():
    assert choosing.stale(choosing.PAGE.read_text(encoding="utf-8")) == []


def test_a_stale_output_is_noticed(monkeypatch):
    monkeypatch.setattr(choosing, "printed", lambda command: f"{command} 0.1.0\n")
    text = "```bash\ngpuconv --version\n```\n```text\ngpuconv 0.0.0\n```\n"
    assert choosing.stale(text) == ["gpuconv --version"]
    assert choosing.stale(choosing.renewed(text)) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", ["concept.md", "choosing.md"])
def test_the_python_blocks_run(page):
    for block in fences((DOCS / page).read_text(), "python"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-W", "error", "-c", block], env=environment, check=True)
