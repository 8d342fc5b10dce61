"""gpuconv check FILE.cu proves an entry without a launcher, its parameters matched by name."""

import re
import shutil

import pytest
from command_line import fail, run, succeed
from house_rules import ROOT

from gpuconv import battery, registry
from gpuconv.cli import _proof
from gpuconv.cli._expression import evaluate
from gpuconv.cli._names import ignored, numbers
from gpuconv.cli.check import check
from gpuconv.errors import DeviceError, OptionError
from gpuconv.kernels.conv2d.op import Conv2dProblem
from gpuconv.kernels.pool2d.op import AvgPool2dProblem

EXAMPLE = ROOT / "examples" / "custom_kernel" / "my_conv.cu"
LAYOUT = ["--op", "conv2d", "--blocks", "n*k", "--threads", 128, "--shared", "real*c*r*s"]
HELP = re.search(r"```cpp\n(.*?)```", check.__doc__, re.DOTALL)[1]
HEAD = 'extern "C" __global__ void mine('


@pytest.fixture
def file(tmp_path):
    def made(text):
        path = tmp_path / "mine.cu"
        path.write_text(text)
        return path

    return made


def faults(*arguments):
    """The lines of a check that found something."""
    result = run("check", *arguments)
    assert result.exit_code == 1, result.output
    assert re.fullmatch(r"\d+ faults", result.stdout.splitlines()[-1])
    return result.stdout.splitlines()


@pytest.mark.emulated
def test_the_example_passes_without_its_launcher():
    lines = succeed("check", EXAMPLE, *LAYOUT)
    (said,) = [line for line in lines if "on emulated" in line]
    assert said.startswith("conv2d[cuda:cached_filter] on emulated: 44 cases passed, 0 failed")
    assert [line for line in lines if "refuses" in line] == [
        "  refuses: has no parameter for groups"
    ]
    assert lines[-1] == "no faults"


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("    __syncthreads();\n", "", "* filter[i]", "which nobody has written"),
        ("at < o.p * o.q", "at <= o.p * o.q", "y[((INDEX)", "4-byte write of global memory"),
    ],
)
def test_a_fault_of_the_example_is_named_with_its_line(tmp_path, old, new, at, said):
    path = tmp_path / "my_conv.cu"
    shutil.copy(EXAMPLE, path)
    text = path.read_text().replace(old, new)
    path.write_text(text)
    line = next(n for n, content in enumerate(text.splitlines(), 1) if at in content)
    found = [report for report in faults(path, *LAYOUT) if report.startswith(f"{path}:")]
    assert found[0].startswith(f"{path}:{line}: cached_filter: ")
    assert said in found[0]


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("? 0", "? 1", 1, "elements are wrong, first at"),
        ("i < count", "i <= count", 3, "4-byte read of global memory out of bounds"),
        ("0 : x[i]", "zero : x[i]", 3, "was not declared"),
    ],
)
def test_faults_of_a_small_kernel(file, old, new, line, said):
    path = file(HELP.replace(old, new))
    reports = faults(path, "--op", "relu")
    assert reports[1].startswith(f"{path}:{line}: ")
    assert said in reports[1]
    assert len([r for r in reports if "does not compile" in r]) == ("declared" in said)


@pytest.mark.emulated
def test_the_kernel_of_the_help_passes(file):
    lines = succeed("check", file(HELP), "--op", "relu")
    assert any("12 cases passed, 0 failed, in three thread orders" in line for line in lines)


@pytest.mark.emulated
def test_an_entry_with_the_struct_of_common_cuh_passes():
    path = ROOT / "kernels" / "pool2d" / "cuda_direct.cu"
    lines = succeed("check", path, "--op", "max_pool2d", "--entry", "max_pool2d")
    every = len(list(battery.cases(registry.get_op("max_pool2d"))))
    assert any(f"on emulated: {every} cases passed, 0 failed" in line for line in lines)


SLOPE = f"""
struct Options {{ INDEX count; /* of y */ REAL negative_slope; }};
{HEAD}const Options o, const REAL* __restrict__ x, REAL* y) {{
    for (int i = threadIdx.x; i < o.count; i += BLOCK)
        y[i] = x[i] <= 0 ? o.negative_slope * x[i] : x[i];
}}
"""


@pytest.mark.emulated
def test_a_struct_is_filled_by_its_members_names(file):
    lines = succeed("check", file(SLOPE), "--op", "leaky_relu", "--blocks", "1", "--threads", 32)
    (said,) = [line for line in lines if "on emulated" in line]
    assert ": 0 cases passed" not in said
    assert ", 0 failed" in said


POINTWISE = f"""
{HEAD}float* y, const float* x, const float* weight, const float* bias,
    int n, int c, int h, int w, int k, int r, int s, int p, int q, int count
) {{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    float sum = bias[i / q / p % k];
    for (int j = 0; j < c * r * s; ++j) {{
        const int row = i / q % p + j / s % r, column = i % q + j % s;
        const int channel = i / q / p / k * c + j / s / r;
        sum += weight[i / q / p % k * c * r * s + j] * x[(channel * h + row) * w + column];
    }}
    y[i] = sum;
}}
"""


@pytest.mark.emulated
def test_what_has_no_parameter_is_left_out_and_said(file):
    lines = succeed("check", file(POINTWISE), "--op", "conv2d")
    plain = sum(
        not ignored(case, ("n", "c", "h", "w", "k", "r", "s"))
        for case in registry.get_op("conv2d").cases()
    )
    assert plain > 1
    assert any(f"on emulated: {plain} cases passed, 0 failed" in line for line in lines)
    refused = {line.removeprefix("  refuses: ") for line in lines if "refuses" in line}
    assert refused >= {
        *(f"has no parameter for {name}" for name in ("epilogue", "padding", "stride")),
        "takes float* y, not float64",
    }


@pytest.mark.emulated
def test_a_bias_that_is_left_out_may_not_be_read(file):
    text = POINTWISE.replace("int count", "int has_bias, int count")
    (found, *_) = [line for line in faults(file(text), "--op", "conv2d") if ": mine: " in line]
    assert "argument 3 (bias) of 0 bytes" in found
    guarded = text.replace("float sum = bias", "float sum = !has_bias ? 0 : bias")
    assert succeed("check", file(guarded), "--op", "conv2d")[-1] == "no faults"


@pytest.mark.emulated
def test_a_kernel_that_takes_no_case_is_not_proven(file):
    path = file(f"\n{HEAD}half* y, const char* x, int count) {{}}\n")
    assert f"{path}:2: no case was run: the kernel refuses them all" in faults(path, "--op", "relu")


def test_without_a_device_nothing_is_proven(file, monkeypatch):
    def nowhere(kind):
        raise DeviceError(f"device {kind!r} is not available")

    monkeypatch.setattr(_proof.devices, "get", nowhere)
    path = file(HELP)
    assert f"{path}:1: nothing is proven: there is no device to run on" in faults(
        path, "--op", "relu"
    )


def entry(parameters):
    return f"{HEAD}{parameters}) {{}}\n"


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (HELP, [], "mine.cu compute? Say --op NAME, of accumulate, adam, "),
        (HELP, ["--op", "conv3d"], "no op named 'conv3d'; registered: "),
        (HELP, ["--op", "relu", "--entry", "other"], "has no entry 'other'; it has mine"),
        (
            HELP + HELP.replace("mine", "second"),
            ["--op", "relu"],
            "has mine, second; say which with --entry",
        ),
        ("int x;\n", ["--op", "relu"], 'has no entry; write extern "C" __global__ void name(...)'),
        (
            entry("REAL* y, const REAL* wieght"),
            ["--op", "conv2d"],
            "parameter wieght is no array of conv2d; its arrays are y, x, weight, bias; its "
            "numbers are n, c, h, w, k, r, s, stride_h, stride_w, pad_top, pad_bottom, pad_left, ",
        ),
        (entry("REAL* y, int strides"), ["--op", "conv2d"], "strides is no number of conv2d; its"),
        (entry("REAL* y, int x"), ["--op", "relu"], "x is no number of relu; its arrays are y, x;"),
        (entry("REAL* x"), ["--op", "relu"], "there is no parameter y* for an out"),
        (
            entry("REAL* y, Conv conv"),
            ["--op", "conv2d"],
            "Conv is no type that can be filled; expected one of REAL, INDEX, float, ",
        ),
        (
            "struct Conv { int n; Other o; };\n" + entry("REAL* y, Conv conv"),
            ["--op", "conv2d"],
            "Conv is no type that can be filled",
        ),
        (
            "struct Conv { int n, m; };\n" + entry("REAL* y, Conv conv"),
            ["--op", "conv2d"],
            "m is no number of conv2d",
        ),
        (HELP, ["--op", "relu", "--blocks", "n"], "--blocks n: no number named 'n'; there are "),
        (HELP, ["--op", "relu", "--shared", "count**9"], "--shared count**9: expected whole numb"),
    ],
)
def test_what_cannot_be_matched_is_named(file, text, options, said):
    assert said in fail("check", file(text), *options)


def test_files_that_are_not_there_or_not_bare(tmp_path):
    assert "none.cu: cannot be read" in fail("check", tmp_path / "none.cu", "--op", "relu")
    (tmp_path / "a.py").touch()
    line = fail("check", tmp_path / "a.py", "--op", "relu")
    assert "--op and --entry are for .cu files, not for " in line


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("n*k", 6), ("2 * (n + k) - 1", 9), ("(9 + k) / n", 6), ("9 % k", 0), ("yes", 1)],
)
def test_sums(text, value):
    assert evaluate("--blocks", text, {"n": 2, "k": 3, "yes": True}) == value


@pytest.mark.parametrize(
    "text",
    ["", "n +", "1.5", "'n'", "alpha", "n // 2", "f(n)", "n.k", "1/0", "-n", "n - 3", "(" * 999],
)
def test_what_is_no_sum(text):
    with pytest.raises(OptionError, match=r"^--shared .*: (expected whole|is -1, expected at lea)"):
        evaluate("--shared", text, {"n": 2, "alpha": 0.5})


def test_every_number_of_a_convolution_has_a_name():
    problem = Conv2dProblem(1, 4, 9, 8, 6, 3, 2, (2, 1), ((0, 1), (2, 3)), (1, 2), 2)
    found = numbers(problem)
    assert found == {
        **{"n": 1, "c": 4, "h": 9, "w": 8, "k": 6, "r": 3, "s": 2, "p": 4, "q": 11},
        **{"stride_h": 2, "stride_w": 1, "dilation_h": 1, "dilation_w": 2, "groups": 2},
        **{"pad_top": 0, "pad_bottom": 1, "pad_left": 2, "pad_right": 3, "cg": 2, "kg": 3},
        "relu": False,
    }
    assert ignored(problem, found) is None
    assert ignored(problem, set(found) - {"groups"}) is None  # cg and kg say the same
    assert ignored(problem, {"stride_h", "pad_top", "dilation_w"}) == "groups"
    assert ignored(problem, {"pad_top"}) == "stride"


def test_a_pooling_has_the_names_of_common_cuh():
    found = numbers(AvgPool2dProblem(1, 2, 7, 8, (3, 2), (1, 1), count_include_pad=False))
    assert (found["r"], found["s"], found["kernel_h"], found["include_pad"]) == (3, 2, 3, False)


def test_every_op_names_its_numbers():
    for op in registry.ops().values():
        for case in op.cases():
            assert all(isinstance(value, int | float) for value in numbers(case).values())
