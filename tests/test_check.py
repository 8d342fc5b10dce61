"""gpuconv check proves a user's kernel and reports faults as a compiler does."""

import shutil
import textwrap

import pytest
from command_line import finish, start
from house_rules import ROOT

EXAMPLE = ROOT / "examples" / "custom_kernel"


def check(path):
    """Exit code and what was printed, in a process of its own: kernels stay registered."""
    code, out, err = finish(start("check", path))
    return code, out, err


def copy(tmp_path, old="", new=""):
    """The example in another folder, ``old`` of its CUDA source replaced."""
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    source = tmp_path / "my_conv.cu"
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, new))
    return tmp_path / "my_conv.py", source.read_text().splitlines()


@pytest.mark.emulated
def test_the_example_has_no_faults():
    code, out, err = check(EXAMPLE / "my_conv.py")
    assert (code, err) == (0, "")
    assert "conv2d[cuda:cached_filter] on emulated: 44 cases passed, 0 failed" in out
    assert "refuses: takes no groups" in out
    assert out.splitlines()[-1] == "no faults"


@pytest.mark.emulated
def test_a_deleted_barrier_is_named_with_its_line(tmp_path):
    path, lines = copy(tmp_path, "    __syncthreads();\n")
    code, out, _ = check(path)
    assert code == 1
    line = next(i for i, text in enumerate(lines, 1) if "* filter[i]" in text)
    assert f"my_conv.cu:{line}: cached_filter: " in out
    assert "[thread (" in out


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("at < o.p * o.q", "at <= o.p * o.q", "4-byte write"),
        ("row >= o.h", "row > o.h", "read"),
        ("* filter[i]", "* -filter[i]", "elements are wrong, first at"),
        ("sum += x", "sum += undeclared * x", "undeclared"),
    ],
)
def test_other_faults(tmp_path, old, new, said):
    path, _ = copy(tmp_path, old, new)
    code, out, _ = check(path)
    assert code == 1
    assert said in out
    assert out.splitlines()[-1].endswith("faults")


def python_file(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(text))
    return path


NUMPY = """
    import numpy as np
    from gpuconv.kernels.relu.op import relu

    @relu.kernel("mine", backend="numpy", rank=99)
    def run(outs, ins, problem, work):
        {body}
"""


def test_a_numpy_kernel_is_checked_on_the_cpu(tmp_path):
    good = python_file(tmp_path, NUMPY.format(body="np.maximum(ins[0], 0, out=outs[0])"))
    code, out, err = check(good)
    assert (code, err) == (0, "")
    assert "relu[numpy:mine] on cpu: 12 cases passed, 0 failed" in out


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("np.fmax(ins[0], 0, out=outs[0])", "elements are wrong"),
        ("ins[0].fill(0); outs[0].fill(0)", "changed its input x"),
        ("return undefined", "mine.py:7: NameError: name 'undefined' is not defined"),
    ],
)
def test_a_wrong_numpy_kernel(tmp_path, body, said):
    code, out, _ = check(python_file(tmp_path, NUMPY.format(body=body)))
    assert code == 1
    assert said in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "registers no kernel"),
        ("x = 1\nraise RuntimeError('no')\n", "mine.py:2: RuntimeError: no"),
        ("def f(:\n", "SyntaxError"),
    ],
)
def test_files_that_are_no_kernels(tmp_path, text, said):
    code, _, err = check(python_file(tmp_path, text))
    assert code == 2
    (line,) = err.splitlines()
    assert said in line


def test_a_file_that_is_not_there(tmp_path):
    code, _, err = check(tmp_path / "nothing.py")
    assert code == 2
    assert "nothing.py is no Python file" in err
