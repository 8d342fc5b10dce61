"""Every way of getting gpuconv gives the same package: kernels, benchmarks and data included."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from house_rules import PACKAGES, ROOT, files

import gpuconv

PROBES = ("kernels/probe.cuh", "kernels/probe/cuda_plain.cu", "kernels/probe/cuda_plain.cuh")
REPORT = """
import json
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import gpuconv.benchmarks
import gpuconv.kernels
from gpuconv import registry

kernels = Path(gpuconv.kernels.__file__).parent
print(json.dumps({
    "package": gpuconv.__file__,
    "kernels": sorted(p.relative_to(kernels).as_posix() for p in kernels.rglob("*.cu*")),
    "source": (files("gpuconv.kernels.probe") / "cuda_plain.cu").read_text(),
    "digits": sorted(p.name for p in (files("gpuconv.data") / "digits").iterdir()),
    "emulator": sorted(
        f"{folder}/{p.name}"
        for folder in ("include", "runtime")
        for p in (files("gpuconv.emulator") / folder).iterdir()
    ),
    "typed": (files("gpuconv") / "py.typed").is_file(),
    "conv2d": [k.name for k in registry.get_op("conv2d").kernels()],
    "top level": [n for n in ("kernels", "benchmarks") if find_spec(n) is not None],
}))
"""


def run(command: Sequence[object], cwd: Path, **env: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of the checkout with CUDA sources that no checkout has."""
    copy = tmp_path_factory.mktemp("tree")
    for path in files(ROOT):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    for probe in PROBES:
        (copy / probe).parent.mkdir(exist_ok=True)
        (copy / probe).write_text(f"// {probe}\n")
    for module in ("__init__", "op"):
        (copy / "kernels" / "probe" / f"{module}.py").write_text('"""A probe."""\n')
    return copy


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory) -> dict[str, Path]:
    """An sdist, and the wheel that is built from it."""
    pytest.importorskip("build", reason="building needs the test extra")
    pytest.importorskip("setuptools", minversion="77", reason="pyproject.toml needs setuptools 77")
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", out, tree], out)
    return {"sdist": next(out.glob("*.tar.gz")), "wheel": next(out.glob("*.whl"))}


def environment(folder: Path) -> Path:
    """The interpreter of a new environment that borrows this one's dependencies."""
    venv.create(folder, symlinks=os.name != "nt")
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / scripts / "python"
    site = run([python, "-c", "import site; print(site.getsitepackages()[0])"], folder).strip()
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(site, "borrowed.pth").write_text("\n".join(borrowed))
    return python


def install(python: Path, *what: object) -> None:
    """``pip install`` without an index, without another build environment."""
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    alone = ["--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    run([*pip, *alone, *what], python.parent)


def check(report: dict, package: Path, top_level: Sequence[str]) -> None:
    """Hold what an interpreter reported against the tree."""
    assert Path(report["package"]).is_relative_to(package)
    assert {p.removeprefix("kernels/") for p in PROBES} <= set(report["kernels"])
    assert report["source"] == f"// {PROBES[1]}\n"
    assert report["digits"] == sorted(p.name for p in (ROOT / "gpuconv/data/digits").iterdir())
    emulator = ROOT / "gpuconv" / "emulator"
    sources = (p.relative_to(emulator).as_posix() for p in files(emulator) if p.suffix != ".py")
    assert report["emulator"] == sorted(sources)
    assert report["typed"]
    assert "numpy:im2col" in report["conv2d"]
    assert report["top level"] == list(top_level)


def test_a_bare_checkout_takes_the_folders_beside_it(tree, tmp_path):
    out = run([sys.executable, "-c", REPORT], tmp_path, PYTHONPATH=str(tree))
    check(json.loads(out), tree, ["kernels", "benchmarks"])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["wheel", "sdist", "editable"])
def test_an_installed_package_is_complete(tree, built, tmp_path, way):
    python = environment(tmp_path / "env")
    install(python, *(["--editable", tree] if way == "editable" else [built[way]]))
    report = json.loads(run([python, "-c", REPORT], tmp_path))
    check(report, tree if way == "editable" else tmp_path / "env", [])
    assert "Usage" in run([python.parent / "gpuconv", "--help"], tmp_path)
    assert "Usage" in run([python, "-m", "gpuconv", "--help"], tmp_path)


@pytest.mark.slow
def test_an_editable_install_sees_a_new_kernel_without_installing_again(tree, built, tmp_path):
    copy = shutil.copytree(tree, tmp_path / "copy")
    python = environment(tmp_path / "env")
    install(python, "--editable", copy)
    (copy / "kernels" / "probe" / "numpy_new.py").write_text("NEW = 1\n")
    run([python, "-c", "import gpuconv.kernels.probe.numpy_new"], tmp_path)


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(tree, built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(f"gpuconv-{version()}.dist-info/METADATA").decode()
    sources = {p.relative_to(tree) for p in files(tree) if p.relative_to(tree).parts[0] in PACKAGES}
    placed = {p if p.parts[0] == "gpuconv" else Path("gpuconv", p) for p in sources}
    inside = {n for n in names if not n.startswith(f"gpuconv-{version()}.dist-info/")}
    assert inside == {p.as_posix() for p in placed}
    assert "License-Expression: Apache-2.0" in metadata


@pytest.mark.slow
def test_the_sdist_holds_what_the_tests_need(tree, built):
    with tarfile.open(built["sdist"]) as sdist:
        names = {n.partition("/")[2] for n in sdist.getnames()}
    wanted = {p.relative_to(tree).as_posix() for p in files(tree)} - {".gitignore"}
    assert wanted - names == set()


def version() -> str:
    """The version that pyproject.toml states."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_one_version_everywhere():
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == version() == gpuconv.__version__


def test_the_resolver_stage_notices_what_an_extra_must_not_bring(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / ".ci")
    extras = importlib.import_module("extras")
    good = dict.fromkeys(("cupy-cuda13x", *extras.WANTED[1:], "numpy"), "1")
    assert extras.faults(good) == []
    assert extras.faults({**good, "nvidia-cublas": "13"}) == ["nvidia-cublas"]
    assert extras.faults({**good, "cupy-cuda12x": "14"}) == ["2 of cupy-*"]
    assert extras.faults({"cupy-cuda13x": "14"}) == [f"0 of {name}*" for name in extras.WANTED[1:]]
