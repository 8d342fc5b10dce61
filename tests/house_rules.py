"""The rules of the house as functions: each takes the root of a tree, and returns what breaks it.

A problem is one line, ``path:line: what is wrong``; test_house.py asserts that there is none here,
and that a tree made to break a rule is reported.
"""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IGNORED = {".git", ".hypothesis", ".scratch", ".venv", "__pycache__", "build", "dist", "runs"}
FLOORS = {
    **dict.fromkeys(("_cache", "_files", "_layout", "_version", "errors", "random", "shapes"), 0),
    **dict.fromkeys(("cpu", "cuda", "device", "doctor", "emulator", "formats", "limits"), 1),
    **dict.fromkeys(("choices", "kernel_files", "machine", "plans"), 1),
    **dict.fromkeys(("candidates", "problem", "registry", "tracing"), 1),
    "kernels": 2,
    **dict.fromkeys(("battery", "ops"), 3),
    "layers": 4,
    **dict.fromkeys(("graph", "nodes", "summary"), 5),
    **dict.fromkeys(("data", "models", "onnx", "weights"), 6),
    **dict.fromkeys(("explanation", "training", "viz"), 7),
    **dict.fromkeys(("benchmarks", "cli"), 8),
}
ROOF = 9  # gpuconv itself and __main__: they may import everything, and nobody them
LAZY = {"PIL", "cupy", "matplotlib", "numba", "onnx", "rich", "safetensors", "typer"}
PACKAGES = ("gpuconv", "kernels", "benchmarks")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def files(root: Path) -> list[Path]:
    """What git tracks or would add; in a tree without git, all but caches."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if (root / ".git").exists() and shutil.which("git"):
        done = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            named = (root / name for name in done.stdout.split("\0") if name)
            return [p for p in named if p.is_file()]
    everything = (p for p in root.rglob("*") if p.is_file())
    return [
        p
        for p in everything
        if not any(
            part in IGNORED or part.endswith(("_cache", ".egg-info"))
            for part in p.relative_to(root).parts
        )
    ]


def links(root: Path) -> list[str]:
    """Symbolic links that git tracks: checked out, one takes the place of an ignored folder."""
    if not (root / ".git").exists() or not shutil.which("git"):
        return []
    listing = ["git", "ls-files", "--stage", "-z"]
    done = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=True)
    rows = (row.split("\t") for row in done.stdout.split("\0") if row.startswith("120000"))
    return [name for _, name in rows]


@dataclass(frozen=True)
class Module:
    """A source file under its installed name."""

    path: Path
    root: Path

    @property
    def where(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @property
    def name(self) -> str:
        parts = self.path.relative_to(self.root).with_suffix("").parts
        parts = parts if parts[0] == "gpuconv" else ("gpuconv", *parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        is_package = self.path.name == "__init__.py"
        return self.name if is_package else self.name.rpartition(".")[0]

    @property
    def unit(self) -> str:
        return unit(self.name)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    def imports(self, node: ast.AST | None = None) -> Iterator[tuple[int, str]]:
        """Line and absolute dotted name of everything imported, inside functions too."""
        for found in ast.walk(node or self.tree):
            if isinstance(found, ast.Import):
                yield from ((found.lineno, alias.name) for alias in found.names)
            elif isinstance(found, ast.ImportFrom):
                base = self._base(found)
                yield from ((found.lineno, f"{base}.{alias.name}") for alias in found.names)

    def _base(self, found: ast.ImportFrom) -> str:
        package = self.package.split(".")
        above = package[: len(package) - found.level + 1] if found.level else []
        return ".".join([*above, *([found.module] if found.module else [])])


def unit(name: str) -> str:
    """The part of the house that a dotted name belongs to: "ops" for gpuconv.ops.conv."""
    return [*name.split("."), ""][1]


def modules(root: Path) -> list[Module]:
    """Every source file of the packages."""
    found = (p for folder in PACKAGES for p in sorted((root / folder).rglob("*.py")))
    return [Module(p, root) for p in found]


def floor(name: str) -> int:
    """The floor of a dotted gpuconv name; what the roof re-exports is on the roof."""
    return FLOORS.get(unit(name), ROOF)


def unplaced(root: Path) -> list[str]:
    """Modules that stand on no floor."""
    known = {*FLOORS, "", "__main__"}
    return [f"{m.where}: {m.unit} has no floor" for m in modules(root) if m.unit not in known]


def upward_imports(root: Path) -> list[str]:
    """Imports from a higher floor, both ways between two units, or of a folder's bare name."""
    problems, edges = [], {}
    for module in modules(root):
        for line, name in module.imports():
            at = f"{module.where}:{line}"
            if name.split(".")[0] in ("kernels", "benchmarks"):
                problems.append(f"{at}: import gpuconv.{name}, not {name}")
            elif name.split(".")[0] == "gpuconv" and floor(name) > floor(module.name):
                problems.append(f"{at}: imports {name}, which is on a higher floor")
            elif name.startswith("gpuconv."):
                edges[module.unit, unit(name)] = at
    mutual = [(a, b) for a, b in edges if a < b and (b, a) in edges]
    return problems + [f"{edges[pair]}: {' and '.join(pair)} import each other" for pair in mutual]


def backend_imports(root: Path, backends: set[str]) -> list[str]:
    """CuPy outside gpuconv/cuda, and a declaration (op.py) that imports a backend."""
    problems = []
    for module in modules(root):
        for line, name in module.imports():
            at, parts = f"{module.where}:{line}", name.split(".")
            if parts[0] == "cupy" and module.unit != "cuda":
                problems.append(f"{at}: only gpuconv.cuda imports cupy")
            if module.path.name != "op.py" or module.unit != "kernels":
                continue
            kernel = parts[:2] == ["gpuconv", "kernels"] and any(
                p.startswith(f"{b}_") for p in parts[2:] for b in backends
            )
            if kernel or parts[0] in ("cupy", "numba") or parts[:2] == ["gpuconv", "cuda"]:
                problems.append(f"{at}: op.py declares; it imports no backend, got {name}")
    return problems


def eager_imports(root: Path) -> list[str]:
    """Heavy or optional packages imported when a module is, rather than when it is used."""
    problems = []
    for module in modules(root):
        for node in _at_import(module.tree):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for line, name in module.imports(node):
                package = name.split(".")[0]
                if package in LAZY and not _may_be_eager(module, package):
                    problems.append(f"{module.where}:{line}: import {package} where it is used")
    return problems


def _may_be_eager(module: Module, package: str) -> bool:
    if package in ("rich", "typer"):
        return module.unit == "cli"
    if package == "numba":
        if module.name in ("gpuconv.cpu.jit", "gpuconv.cpu.vectors"):
            return True
        return module.unit == "kernels" and module.path.stem.startswith(("numba_", "_numba"))
    return package == "cupy" and module.unit == "cuda"


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not typing_only and not isinstance(child, FUNCTIONS):
            yield child
            yield from _at_import(child)


def undocumented(root: Path) -> list[str]:
    """Modules, and public functions and classes at their top, without a docstring."""
    problems = []
    for module in modules(root):
        if module.tree.body and ast.get_docstring(module.tree) is None:
            problems.append(f"{module.where}:1: the module has no docstring")
        for node in module.tree.body:
            public = isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name[0] != "_"
            if public and ast.get_docstring(node) is None:
                problems.append(f"{module.where}:{node.lineno}: {node.name} has no docstring")
    return problems


def too_long(root: Path, files: list[Path]) -> list[str]:
    """Sources over 300 lines; CUDA and emulator ones over 400, or without "Long because"."""
    problems = []
    for path in files:
        where = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8") if path.suffix in SOURCES else ""
        lines = text.splitlines()
        special = path.suffix in (".cu", ".cuh") or where.startswith("gpuconv/emulator/")
        reason = special and "Long because" in "\n".join(lines[:12])
        limit = 400 if reason else 300
        if len(lines) > limit:
            problems.append(f"{where}: {len(lines)} lines, at most {limit}")
    return problems


SOURCES = {".c", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".py", ".sh"}
PRIVATE = re.compile(
    r"""
    (?<![\w.~}>)])/(?:home|root|tmp|Users|work|workspace|mnt|scratch)/\w   # a path of one machine
    | \b[A-Z]:\\+Users
    | \b(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b         # a private address
    | \b\w+\.(?:internal|intranet|corp|lan)\b
    | ://[^/\s'"<>{}]+:[^/\s'"<>{}]+@                                      # credentials
    | index[-]url\b | \bfind[-]links\b                                      # one place's registry
    """,
    re.VERBOSE,
)
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b")


def private_or_unfinished(root: Path, files: list[Path]) -> list[str]:
    """Paths, hosts and registries of one machine, and marks of unfinished work."""
    problems = []
    for path in files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            found = PRIVATE.search(line) or UNFINISHED.search(line)
            if found or (len(root.parts) > 2 and str(root) in line):
                what = found[0].strip() if found else str(root)
                problems.append(f"{path.relative_to(root).as_posix()}:{number}: {what!r}")
    return problems


def reasonless_skips(root: Path) -> list[str]:
    """Tests that are skipped or expected to fail without a word why."""
    problems = []
    for path in sorted((root / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {id(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
        for node in ast.walk(tree):
            name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if name not in SKIPS:
                continue
            call = called.get(id(node))
            words = [k.arg for k in call.keywords] if call else []
            positional = call.args if call and name in ("pytest.skip", "pytest.xfail") else []
            bare_mark = call and name == "pytest.mark.skip" and call.args
            if not ("reason" in words or positional or bare_mark):
                problems.append(f"{path.relative_to(root).as_posix()}:{node.lineno}: {name}")
    return problems


SKIPS = {
    *(f"pytest.{name}" for name in ("skip", "xfail")),
    *(f"pytest.mark.{name}" for name in ("skip", "skipif", "xfail")),
}
