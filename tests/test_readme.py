"""README says what is true: its two lines are what CI runs, its commands and examples exist."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest
from house_rules import ROOT, files

README = ROOT / "README.md"


def fences(text: str, language: str) -> list[str]:
    """The bodies of a language's fenced blocks, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The arguments of every ``gpuconv ...`` in the bash blocks, comments left off."""
    found = []
    for block in fences(text, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            parts = split_at(list(lexer), set("|&;<>()"))
            called = [list(dropwhile(is_setting, part)) for part in parts]
            found += [part[1:] for part in called if part and Path(part[0]).name == "gpuconv"]
    return found


def is_setting(word: str) -> bool:
    """Whether a word before a command sets a variable for it."""
    return re.fullmatch(r"[A-Z_]+=\S*", word) is not None


def split_at(words: list[str], marks: set[str]) -> list[list[str]]:
    """The runs of words between those that are made of ``marks``."""
    parts: list[list[str]] = [[]]
    for word in words:
        if set(word) <= marks:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def parse(arguments: list[str]) -> None:
    """Resolve a command line as the program would, without running it; raises a usage error."""
    import typer.main

    from gpuconv.cli import app

    group: Any = typer.main.get_command(app)
    context = group.make_context("gpuconv", list(arguments), resilient_parsing=True)
    context.resilient_parsing = False  # an unknown command is an error again
    name, command, rest = group.resolve_command(context, list(arguments))
    inner = command.context_class(command, info_name=name, parent=context)
    _, extra, _ = command.make_parser(inner).parse_args(list(rest))
    if extra:
        raise ValueError(f"{name} takes no argument {extra}")


def unknown_names(blocks: list[str]) -> list[str]:
    """Imports and ``gcv.`` chains of Python blocks that do not resolve."""
    import importlib

    problems = []
    for node in ast.walk(ast.parse("\n".join(blocks))):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            names = [a.name for a in node.names if not hasattr(module, a.name)]
            problems += [f"{node.module}.{name}" for name in names]
        elif isinstance(node, ast.Attribute) and ast.unparse(node).startswith("gcv."):
            chain = re.split(r"[(\[]", ast.unparse(node))[0]
            thing: Any = importlib.import_module("gpuconv")
            for part in chain.split(".")[1:]:
                thing = getattr(thing, part, None)
            problems += [] if thing is not None else [chain]
    return problems


def broken_links(root: Path) -> list[str]:
    """Relative links and pictures in the tree's Markdown that lead nowhere."""
    problems = []
    for page in (p for p in files(root) if p.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                problems.append(f"{page.relative_to(root).as_posix()}: {target}")
    return problems


def test_the_first_block_is_the_two_lines():
    first, second = fences(README.read_text(), "bash")[0].splitlines()
    assert first.startswith("python3 -m venv .venv && ")
    assert first.endswith(" && .venv/bin/gpuconv train")
    assert ".[test]" in second
    assert second.endswith(" && .venv/bin/pytest -n 2")


CI_README = """
```bash
mkdir -p runs/new && echo one > said && echo test accuracy 0.9{accuracy}
echo two >> said; echo 'GPU tests skipped: 4'; exit {exit}
```
```bash
echo never >> said
```
"""


def ci(root: Path, accuracy: int = 8, code: int = 0) -> subprocess.CompletedProcess:
    """``.ci/run main tests`` in a tree whose README has two other lines."""
    (root / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", root / ".ci" / "run")
    (root / "README.md").write_text(CI_README.format(accuracy=accuracy, exit=code))
    (root / "runs" / "old").mkdir(parents=True)
    command = ["bash", ".ci/run", "main", "tests"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_ci_runs_the_two_lines(tmp_path):
    done = ci(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "said").read_text() == "one\ntwo\n"
    assert os.listdir(tmp_path / "runs") == ["old"]
    assert "line2.log:GPU tests skipped: 4" in done.stdout
    assert done.stdout.endswith("CI passed: main tests\n")


def test_ci_names_the_stage_that_failed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    low = ci(tmp_path / "a", accuracy=0)
    assert (low.returncode, (tmp_path / "a" / "said").read_text()) == (1, "one\n")
    assert "CI FAILED in stage 'main'" in low.stdout
    late = ci(tmp_path / "b", code=3)
    assert late.returncode == 3
    assert "CI FAILED in stage 'tests'" in late.stdout


def test_ci_runs_every_stage_by_default():
    text = (ROOT / ".ci" / "run").read_text()
    defined = re.findall(r"^stage_(\w+)\(\)", text, re.MULTILINE)
    default = re.search(r"stages=\((data .*)\)", text)
    assert default
    assert sorted(default[1].split()) == sorted(defined)


@pytest.mark.parametrize(
    ("page", "known"), [("README.md", "train"), ("docs/benchmarks.md", "bench")]
)
def test_commands_on_a_page_exist(page, known):
    found = commands((ROOT / page).read_text())
    assert known in [arguments[0] for arguments in found]
    for arguments in found:
        parse(arguments)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("gpuconv trian", "trian"),
        ("gpuconv train --epoch-count 3", "--epoch-count"),
        ("gpuconv models one two three", "three"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line, message):
    (arguments,) = commands(f"```bash\ncd x && .venv/bin/{line} | tee log  # why\n```\n")
    with pytest.raises(Exception, match=message):
        parse(arguments)


def test_names_in_the_python_blocks_exist():
    blocks = fences(README.read_text(), "python")
    assert blocks
    blocks += fences((ROOT / "docs" / "benchmarks.md").read_text(), "python")
    assert unknown_names(blocks) == []
    wrong = ["import gpuconv as gcv\nfrom gpuconv.errors import NoError", "gcv.nothing(1)[0].x"]
    assert set(unknown_names(wrong)) == {"gpuconv.errors.NoError", "gcv.nothing"}


@pytest.mark.slow
@pytest.mark.parametrize("block", fences(README.read_text(), "python"))
def test_a_python_block_runs_on_its_own(tmp_path, block):
    script = tmp_path / "readme.py"
    script.write_text(block)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_links_lead_somewhere(tmp_path):
    assert broken_links(ROOT) == []
    (tmp_path / "a.md").write_text("[b](b.md) ![c](c.svg) [d](https://arxiv.org/x) [e](#e)")
    (tmp_path / "b.md").write_text("[a](a.md#top)")
    assert broken_links(tmp_path) == ["a.md: c.svg"]
