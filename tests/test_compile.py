"""CUDA sources stay portable; what the compiler says reaches the user. Figures: test_static.py."""

import re

import pytest
from house_rules import ROOT

from gpuconv import cuda
from gpuconv.cuda import compile as compiler
from gpuconv.errors import KernelError

SOURCES = sorted((ROOT / "kernels").rglob("*.cu"))
needs_nvrtc = pytest.mark.skipif(
    compiler.nvrtc()[0] is None, reason=f"compiling for GPUs: {compiler.nvrtc()[1]}"
)


def name(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_sources_stay_portable(path):
    text = path.read_text()
    code = re.sub(r"//[^\n]*", "", text)
    assert not re.search(r"\basm\b|#\s*include\s*<|__constant__|\bfmaxf?\b", code)
    assert text.startswith("// ")
    assert re.search(r"(?i)grid: ", text)
    assert re.search(r"(?i)shared memory: ", text)
    assert re.search(r"(?i)takes: ", text)


def test_inline_ptx_stands_in_one_header():
    headers = sorted((ROOT / "kernels").rglob("*.cuh"))
    assert [name(h) for h in headers if re.search(r"\basm\b", h.read_text())] == ["kernels/ptx.cuh"]


@pytest.fixture
def source(tmp_path):
    def made(text):
        (tmp_path / "bad.cu").write_text(text)
        return cuda.Source(tmp_path / "bad.cu")

    return made


@needs_nvrtc
def test_a_compile_error_names_file_line_and_options(source):
    bad = source('extern "C" __global__ void f(float* y) {\n    y[0] = unknown;\n}\n')
    with pytest.raises(KernelError, match=r"(?s)bad.cu .*sm_90 with .*-DREAL=float.*bad.cu\(2\)"):
        compiler.compile_cubin(bad, {"REAL": "float"}, "sm_90")


@needs_nvrtc
def test_cubins_are_kept_and_made_again_when_damaged(source, tmp_path, monkeypatch):
    monkeypatch.setenv("GPUCONV_CACHE", str(tmp_path / "cache"))
    good = source('extern "C" __global__ void f(REAL* y) { y[0] = 1; }\n')
    first = compiler.cubin_file(good, {"REAL": "float"}, "sm_90")
    content = first.read_bytes()
    assert compiler.cubin_file(good, {"REAL": "float"}, "sm_90") == first
    assert compiler.cubin_file(good, {"REAL": "double"}, "sm_90") != first
    first.write_bytes(content[:100])
    assert compiler.cubin_file(good, {"REAL": "float"}, "sm_90").read_bytes() == content
    changed = source('extern "C" __global__ void f(REAL* y) { y[0] = 2; }\n')
    assert compiler.cubin_file(changed, {"REAL": "float"}, "sm_90") != first


def test_without_nvrtc_the_reason_is_said(source, monkeypatch):
    monkeypatch.setattr(compiler, "nvrtc", lambda: (None, "the package is not installed"))
    with pytest.raises(KernelError, match=r"bad.cu: cannot be compiled: the package is not inst"):
        compiler.compile_cubin(source(""), {}, "sm_90")
