"""The house keeps its rules, and each rule notices when it is broken."""

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import house_rules as rules
import pytest
from house_rules import ROOT, files

from gpuconv import kernel_files, registry


def make(root: Path, sources: dict[str, str]) -> Path:
    """A tree of these files under ``root``."""
    for name, text in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_every_module_stands_on_a_floor(tmp_path):
    assert rules.unplaced(ROOT) == []
    assert rules.unplaced(make(tmp_path, {"gpuconv/attic.py": ""})) == [
        "gpuconv/attic.py: attic has no floor"
    ]


def test_imports_go_down_only():
    assert rules.upward_imports(ROOT) == []


def test_contributing_shows_the_floors():
    rows = re.findall(r"^\| (\d) \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    shown = {name: int(row) for row, names in rows for name in re.findall(r"`(\w+)", names)}
    units = {m.unit for m in rules.modules(ROOT)} & set(rules.FLOORS) - {"_layout", "_version"}
    assert shown == {unit: rules.FLOORS[unit] for unit in units | set(shown)}
    assert {"kernels", "ops", "layers"} <= units


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("gpuconv/shapes.py", "from . import registry"),
        ("gpuconv/ops/conv.py", "from ..layers.conv import Conv2d"),
        ("gpuconv/ops/conv.py", "import gpuconv.graph"),
        ("gpuconv/layers/conv.py", "def late():\n    from gpuconv import Graph"),
        ("gpuconv/training/trainer.py", "import gpuconv as gcv"),
        ("kernels/conv2d/numpy_direct.py", "from gpuconv import ops"),
        ("kernels/conv2d/op.py", "import kernels.conv2d"),
        ("benchmarks/measure.py", "from benchmarks import report"),
    ],
)
def test_an_upward_import_is_reported(tmp_path, where, line):
    (problem,) = rules.upward_imports(make(tmp_path, {where: line}))
    assert problem.startswith(f"{where}:")


def test_two_units_that_import_each_other_are_reported(tmp_path):
    tree = make(
        tmp_path,
        {
            "gpuconv/models/a.py": "from ..data import loader",
            "gpuconv/data/b.py": "from gpuconv.models import lenet",
        },
    )
    assert rules.upward_imports(tree) == ["gpuconv/data/b.py:1: data and models import each other"]


def test_the_roof_may_import_everything(tmp_path):
    tree = make(
        tmp_path, {"gpuconv/__init__.py": "from . import cli", "gpuconv/cli/__init__.py": ""}
    )
    assert [m.name for m in rules.modules(tree)] == ["gpuconv", "gpuconv.cli"]
    assert rules.upward_imports(tree) == []


def test_declarations_import_no_backend_and_only_cuda_imports_cupy(tmp_path):
    backends = {"numpy", "numba", "cuda"}
    assert rules.backend_imports(ROOT, set(kernel_files.BACKENDS)) == []
    tree = make(
        tmp_path,
        {
            "gpuconv/device.py": "def late():\n    import cupy",
            "gpuconv/cuda/launch.py": "import cupy",
            "kernels/relu/op.py": "from gpuconv import registry\nfrom . import numpy_plain",
            "kernels/pool2d/op.py": "from numba import njit",
            "kernels/linear/op.py": "from gpuconv.cuda import launch",
            "kernels/linear/numba_tiled.py": "from numba import njit",
        },
    )
    reported = rules.backend_imports(tree, backends)
    assert [p.split(":")[0] for p in reported] == [
        "gpuconv/device.py",
        "kernels/linear/op.py",
        "kernels/pool2d/op.py",
        "kernels/relu/op.py",
    ]


def test_heavy_packages_are_imported_where_they_are_used(tmp_path):
    assert rules.eager_imports(ROOT) == []
    tree = make(
        tmp_path,
        {
            "gpuconv/viz/plots.py": "def plot():\n    import matplotlib.pyplot",
            "gpuconv/data/images.py": "try:\n    from PIL import Image\nfinally:\n    pass",
            "gpuconv/cli/app.py": "import typer\nimport safetensors.numpy",
            "kernels/relu/numba_plain.py": "from numba import njit",
        },
    )
    reported = [p.split(": ")[0] for p in rules.eager_imports(tree)]
    assert reported == ["gpuconv/cli/app.py:2", "gpuconv/data/images.py:2"]


def loaded(statement: str) -> set[str]:
    """The heavy packages that a fresh interpreter holds after ``statement``."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split()) & rules.LAZY


def test_import_gpuconv_loads_nothing_heavy():
    assert loaded("import gpuconv") == set()
    assert loaded("import gpuconv, safetensors, rich") == {"rich", "safetensors"}


def test_public_things_have_a_docstring(tmp_path):
    assert rules.undocumented(ROOT) == []
    tree = make(
        tmp_path,
        {
            "gpuconv/__init__.py": "",
            "gpuconv/ops/a.py": '"Ops."\n\ndef relu(x): ...\n\ndef _own(x): ...\n\nclass B: ...',
            "kernels/relu/b.py": "x = 1",
        },
    )
    assert rules.undocumented(tree) == [
        "gpuconv/ops/a.py:3: relu has no docstring",
        "gpuconv/ops/a.py:7: B has no docstring",
        "kernels/relu/b.py:1: the module has no docstring",
    ]


def test_files_are_short(tmp_path):
    assert rules.too_long(ROOT, files(ROOT)) == []
    reason = "// Long because every variant is one function.\n"
    tree = make(
        tmp_path,
        {
            "gpuconv/a.py": "x = 1\n" * 301,
            "gpuconv/b.py": "# Long because it is.\n" + "x = 1\n" * 300,
            "kernels/relu/c.cu": "//\n" * 301,
            "kernels/relu/d.cu": reason + "//\n" * 399,
            "kernels/relu/e.cu": reason + "//\n" * 400,
            "docs/long.md": "text\n" * 500,
        },
    )
    reported = [p.split(":")[0] for p in rules.too_long(tree, sorted(files(tree)))]
    assert reported == [
        "gpuconv/a.py",
        "gpuconv/b.py",
        "kernels/relu/c.cu",
        "kernels/relu/e.cu",
    ]


def test_no_file_names_one_machine_or_is_unfinished(tmp_path):
    assert rules.private_or_unfinished(ROOT, files(ROOT)) == []
    bad = [
        "/".join(("", "home", "me", "data")),
        ".".join(("http://10", "0", "0", "7:8080")),
        "https://" + "me:secret" + "@example.org",
        "pip install --index" + "-url x",
        "x = 1  # " + "TO" + "DO: faster",
        f"data = {str(tmp_path)!r}",
    ]
    fine = [
        "runs/lenet5/tmp/x",
        "https://arxiv.org/abs/1404.5997",
        "http://127.0.0.1:8731",
        "10.0.1",
    ]
    tree = make(tmp_path, {"docs/bad.md": "\n".join(bad), "docs/fine.md": "\n".join(fine)})
    reported = [p.split(": ")[0] for p in rules.private_or_unfinished(tree, sorted(files(tree)))]
    assert reported == [f"docs/bad.md:{n}" for n in range(1, len(bad) + 1)]


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_no_link_is_tracked_and_an_environment_of_any_kind_is_ignored(tmp_path):
    assert rules.links(ROOT) == []
    (tmp_path / "target").mkdir()
    for name in ("link", ".venv"):
        (tmp_path / name).symlink_to("target")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert rules.links(tmp_path) == ["link"]


def test_a_skip_says_why(tmp_path):
    assert rules.reasonless_skips(ROOT) == []
    test = """
        import pytest
        @pytest.mark.skip
        def a(): ...
        @pytest.mark.skipif(True)
        def b(): ...
        @pytest.mark.skip(reason="why")
        @pytest.mark.xfail(raises=OSError)
        def c(): pytest.skip("why")
        def d(): pytest.skip()
    """
    tree = make(tmp_path, {"tests/test_a.py": inspect.cleandoc(test)})
    assert rules.reasonless_skips(tree) == [
        "tests/test_a.py:2: pytest.mark.skip",
        "tests/test_a.py:4: pytest.mark.skipif",
        "tests/test_a.py:7: pytest.mark.xfail",
        "tests/test_a.py:9: pytest.skip",
    ]


def test_the_longest_backend_that_begins_a_files_name_is_its_own(monkeypatch):
    monkeypatch.setitem(kernel_files.BACKENDS, "numba", ("cpu",))
    stems = ("numba_cuda_direct", "numba_winograd", "cuda_direct", "_cuda", "cudart", "op")
    assert [kernel_files.backend_of(s) for s in stems] == [
        "numba_cuda",
        "numba",
        "cuda",
        *[None] * 3,
    ]


def misplaced(kernels: list[registry.Kernel], family: str) -> list[str]:
    """Kernels that are not named as their file is, which may add for which op; variants aside."""
    mine = [k for k in kernels if k.run.__module__.startswith(f"{family}.")]
    named = {k.name: f"{k.backend}_{k.variant_of or k.algorithm}".replace("-", "_") for k in mine}
    files = {k.name: k.run.__module__.rpartition(".")[2] for k in mine}
    return [n for n, stem in named.items() if files[n] not in (stem, f"{stem}_weight")]


def test_a_kernel_lies_in_the_file_of_its_name():
    ops = registry.ops().values()
    assert sum(len(op.kernels()) for op in ops) > 0
    for op in ops:
        assert misplaced(op.kernels(), op.family) == []
    stray = registry.Kernel(op.name, "other", "numpy", op.kernels()[0].run)
    assert misplaced([stray], op.family) == ["numpy:other"]


def test_every_file_of_a_family_is_a_declaration_a_helper_or_a_kernel():
    known = set(kernel_files.MISSING)
    for op in registry.ops().values():
        known |= {op.reference.__module__, *(k.run.__module__ for k in op.kernels())}
    inside = [m for m in rules.modules(ROOT) if m.name.count(".") == 3 and m.unit == "kernels"]
    assert inside
    assert [m.where for m in inside if m.name not in known and m.path.stem[0] != "_"] == []


def test_every_cuda_source_has_its_launcher():
    twins = [p for p in (ROOT / "kernels").rglob("*.cu") if not p.with_suffix(".py").is_file()]
    assert twins == []
