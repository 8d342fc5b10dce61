"""How a kernel is declared, found and chosen, and what is said when there is none."""

import importlib.util
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from gpuconv import kernel_files, ops, registry
from gpuconv.device import CPU
from gpuconv.errors import KernelError, OptionError
from gpuconv.limits import limits
from gpuconv.problem import Problem
from gpuconv.registry import Op, choose


@dataclass(frozen=True)
class Vector(Problem):
    size: int = 3

    def shapes(self):
        return {"x": (self.size,), "y": (self.size,), "bias": ()}

    def dtypes(self):
        return {"y": "int32"}


def reference(problem, x):
    return x


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """Ops and choices made in a test are forgotten after it."""
    monkeypatch.setattr(registry, "_OPS", dict(registry._OPS))
    monkeypatch.setattr(registry, "_CHOSEN", {})
    monkeypatch.setattr(kernel_files, "MISSING", dict(kernel_files.MISSING))


@pytest.fixture
def op():
    return Op("planted", Vector, ("x",), ("y",), reference, lambda: [Vector()], _loaded=True)


@pytest.fixture
def conv(monkeypatch):
    """conv2d, whose kernels are what they were when the test is over."""
    declared = registry.get_op("conv2d")
    monkeypatch.setattr(declared, "_kernels", declared.kernels())
    return declared


def plant(op, name, **declared):
    op.kernel(name, backend="numpy", **declared)(lambda outs, ins, problem, work: None)


def chosen(op, algorithm=None, problem=None):
    return choose(op, problem or Vector(), CPU, algorithm).name


# Choice


def test_lowest_rank_wins(op):
    plant(op, "slow", rank=90)
    plant(op, "quick", rank=10)
    plant(op, "usual")
    assert [k.name for k in op.kernels()] == ["numpy:quick", "numpy:usual", "numpy:slow"]
    assert chosen(op) == "numpy:quick"


def test_lowest_cost_wins_over_rank(op):
    plant(op, "ranked", rank=1)
    plant(op, "dear", rank=2, cost=lambda problem, device: 2e-3)
    plant(op, "cheap", rank=3, cost=lambda problem, device: 1e-3 * problem.size)
    assert chosen(op, problem=Vector(size=1)) == "numpy:cheap"
    assert chosen(op, problem=Vector(size=9)) == "numpy:dear"


def test_a_named_kernel_wins_over_cost_and_rank(op):
    plant(op, "quick", rank=10, cost=lambda problem, device: 0.0)
    plant(op, "usual")
    assert chosen(op, "usual") == chosen(op, "numpy:usual") == "numpy:usual"


def test_one_that_refuses_is_passed_over(op):
    plant(op, "picky", rank=1, refuses=lambda p, device: "only sizes < 4" if p.size > 3 else None)
    plant(op, "any")
    assert chosen(op, problem=Vector(size=3)) == "numpy:picky"
    assert chosen(op, problem=Vector(size=4)) == "numpy:any"


def test_a_named_one_that_refuses_says_why_and_what_would_work(op):
    plant(op, "picky", refuses=lambda problem, device: "takes only even sizes")
    plant(op, "any")
    with pytest.raises(KernelError) as caught:
        chosen(op, "picky")
    assert str(caught.value) == (
        "planted: no kernel takes dtype=float32 epilogue= size=3: numpy:picky: takes only even "
        "sizes; these would work: numpy:any"
    )


def test_when_all_refuse_every_reason_is_told(op):
    for name in ("one", "two"):
        plant(op, name, refuses=lambda problem, device, name=name: f"{name} does not want to")
    with pytest.raises(KernelError, match="numpy:one: one does not.*numpy:two: two does not") as c:
        chosen(op)
    assert "would work" not in str(c.value)


def test_an_unknown_name_lists_what_there_is(op):
    plant(op, "usual")
    with pytest.raises(KernelError) as caught:
        chosen(op, "winograd")
    assert str(caught.value) == (
        "planted: no kernel named 'winograd' on cpu; registered: numpy:usual"
    )


def test_an_op_without_kernels_says_so(op):
    with pytest.raises(KernelError, match="planted: no kernel on cpu; registered: none"):
        chosen(op)


def test_a_new_kernel_is_seen_by_problems_chosen_before(op):
    plant(op, "usual")
    assert chosen(op) == "numpy:usual"
    plant(op, "quick", rank=1)
    assert chosen(op) == "numpy:quick"


def test_registering_a_name_again_replaces_the_kernel(op):
    plant(op, "usual", rank=10)
    plant(op, "usual", rank=20)
    assert [(k.name, k.rank) for k in op.kernels()] == [("numpy:usual", 20)]


def test_an_unknown_backend_is_refused(op):
    with pytest.raises(OptionError, match="planted: unknown backend 'metal'; expected one of"):
        op.kernel("usual", backend="metal")


def test_an_op_is_declared_once(op):
    with pytest.raises(OptionError, match="an op named 'planted' is registered already"):
        Op("planted", Vector, ("x",), ("y",), reference, lambda: [])
    assert registry.ops()["planted"] is op
    with pytest.raises(KernelError, match="no op named 'conv3d'; registered: .*conv2d"):
        registry.get_op("conv3d")


# Kernels from elsewhere

USER_FILE = """
from gpuconv.kernels.conv2d.op import conv2d

@conv2d.kernel("mine", backend="numpy", rank=99)
def forward(outs, ins, problem, work):
    outs[0].fill(42)
"""


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_a_kernel_in_a_users_file_is_found_by_name(conv, tmp_path):
    (tmp_path / "my_conv.py").write_text(USER_FILE)
    before = conv.kernels()
    load(tmp_path / "my_conv.py")
    assert {k.name for k in conv.kernels()} - {k.name for k in before} == {"numpy:mine"}
    x = np.ones((1, 1, 2, 2), "float32")
    assert ops.conv2d(x, x, algorithm="mine").item() == 42
    assert ops.conv2d(x, x).item() == 4


FAMILY = {
    "op.py": """
from gpuconv.problem import Problem
from gpuconv.registry import Op

class Nothing(Problem):
    def shapes(self):
        return {"y": ()}

def reference(problem):
    return 0.0

outside = Op("outside", Nothing, (), ("y",), reference, lambda: [Nothing()])
""",
    "numpy_plain.py": """
from .op import outside

@outside.kernel("plain", backend="numpy")
def forward(outs, ins, problem, work):
    outs[0].fill(0)
""",
    "numpy_needs.py": "import a_package_that_is_not_there",
    "_numpy.py": "raise RuntimeError('imported as a kernel')",
}


def test_a_familys_kernels_are_found_and_a_missing_package_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "outside_family"
    folder.mkdir()
    for name, text in {"__init__.py": "", **FAMILY}.items():
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    outside = importlib.import_module("outside_family.op").outside
    assert [k.name for k in outside.kernels()] == ["numpy:plain"]
    with pytest.raises(KernelError) as caught:
        choose(outside, outside.problem(), CPU, "needs")
    needs = "outside_family.numpy_needs needs a_package_that_is_not_there"
    assert str(caught.value).endswith(f"registered: numpy:plain (not loaded: {needs})")
    for name in set(sys.modules) - before:
        monkeypatch.delitem(sys.modules, name)


def test_bytes_counts_every_array_once(op):
    assert op.bytes(Vector(size=5)) == 5 * 4 + 5 * 4
    assert op.bytes(Vector(size=5, dtype="float64")) == 5 * 8 + 5 * 4


# Limits


def test_workspace_is_limited(op):
    plant(op, "large", rank=1, workspace=lambda problem, device: 1000 * problem.size)
    plant(op, "small")
    with limits(max_workspace=3000):
        assert chosen(op) == "numpy:large"
    with limits(max_workspace=2999):
        assert chosen(op) == "numpy:small"
        with pytest.raises(KernelError, match="needs 3,000 bytes of workspace, over max_work"):
            chosen(op, "large")
    assert chosen(op) == "numpy:large"


def test_error_is_limited(op):
    plant(op, "rough", rank=1, error=100.0)
    plant(op, "fine")
    with limits(max_error=50 * 2.0**-23):
        assert chosen(op) == "numpy:fine"
        assert chosen(op, problem=Vector(dtype="float64")) == "numpy:rough"
        with pytest.raises(KernelError, match="relative error up to 1.2e-05, over max_error=6.0"):
            chosen(op, "rough")


def test_what_is_not_deterministic_must_be_allowed(op):
    plant(op, "atomics", rank=1, deterministic=False)
    with pytest.raises(KernelError, match=r"is not deterministic \(limits\(deterministic=False"):
        chosen(op)
    with limits(deterministic=False):
        assert chosen(op) == "numpy:atomics"


def test_precision_is_never_swapped(op):
    plant(op, "plain")
    plant(op, "tensor_cores", rank=90, precisions=("tf32",))
    assert chosen(op, problem=Vector(precision="tf32")) == "numpy:tensor_cores"
    with pytest.raises(KernelError, match="plain: computes in fp32, fp64, not in bf16"):
        chosen(op, "plain", Vector(precision="bf16"))
