"""What gpuconv bench times: the ops of nets, traced, and shapes of one's own."""

import numpy as np
import pytest

from gpuconv import errors, models, registry
from gpuconv.benchmarks import cases
from gpuconv.tracing import tracing


def test_tracing_takes_no_kernel_and_names_every_problem_once(monkeypatch):
    def explode(*_):
        raise AssertionError("a kernel was looked for")

    net, kept = models.create("lenet5"), registry._CHOSEN
    monkeypatch.setattr(registry, "_choose", explode)
    with tracing() as trace:
        for _ in range(2):
            net.forward(np.zeros((1, 1, 28, 28), np.float32))
    ops = [op for op, _ in trace.problems()]
    assert [ops.count(op) for op in ("conv2d", "max_pool2d", "linear")] == [2, 2, 3]
    assert registry._CHOSEN is kept


@pytest.mark.parametrize("name", models.models())
def test_a_model_gives_the_ops_of_a_training_step(name):
    found = cases.cases(name, batch_size=2)
    ops = {c.op for c in found}
    assert {"conv2d", "conv2d_weight", "conv2d_input", "cross_entropy_backward"} <= ops
    keys = [(c.op, c.problem) for c in found]
    assert len(keys) == len(set(keys))
    flops = sum(
        len(c.layers) * registry.get_op(c.op).flops(c.problem)
        for c in found
        if c.op in ("conv2d", "linear")
    )
    net = models.create(name, dropout=0)
    rel = 0.06 if name == "cuda_convnet" else 0.02  # one product at every place counts once
    assert flops == pytest.approx(net.flops((2, *net.input_shape)), rel=rel)


def test_nobody_needs_the_gradient_of_the_images():
    found = cases.cases("lenet", ["conv2d_input"])
    assert [c.layers for c in found] == [("conv2",)]
    assert found[0].problem.n == 64


def test_a_shape_of_ones_own():
    (one,) = cases.cases("n=2,c=3,h=9,w=8,k=4,r=3,s=3,padding=1,stride=2x1", ["conv2d"])
    assert one.problem.padding == ((1, 1), (1, 1))
    assert one.problem.stride == (2, 1)
    assert len(cases.cases("n=2,c=3,h=9,w=8,k=4,r=3,s=3")) == 3


def test_depthwise_shapes_have_a_group_for_each_channel():
    found = cases.cases("depthwise", ["conv2d"], 1)
    assert len(found) == len(cases.DEPTHWISE)
    assert all(c.problem.groups == c.problem.c == c.problem.k for c in found)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alexnt", ["unknown shapes 'alexnt'", "did you mean alexnet?", "resnet50", "depthwise"]),
        ("n=1,q=3", ["unknown size of conv2d 'q'", "stride"]),
        ("n=1,c=3", ["conv2d n=1,c=3", "expected numbers for n, c, h"]),
        ("n=1,c=3,h=2,w=2,k=1,r=5,s=5", ["y would have shape"]),
        ("n=a,c=3,h=2,w=2,k=1,r=5,s=5", ["n=a"]),
        ("n=1,c=3,h=9,w=9,k=4,r=3,s=3,groups=2", ["groups=2 must divide"]),
        ("n=1,c=3,h=9,w=9,k=4,r=3,s=3,stride=0", ["stride"]),
        ("n=1,c=3,h=9,w=9,k=4,r=3,s=3,dtype=float17", ["dtype"]),
    ],
)
def test_shapes_that_do_not_exist(name, words):
    with pytest.raises(errors.OptionError) as caught:
        cases.cases(name, ["conv2d"])
    assert all(word in str(caught.value) for word in words), caught.value
