"""ONNX's own tests of backends: no case gives wrong numbers, and those that passed still do."""

import models
import numpy as np
import pytest
from onnx import helper

from gpuconv.errors import DeviceError
from gpuconv.onnx import backend, conformance

# What passes of each family; the rest is refused by name, for want of the operator or the shape.
PASSED = {"node": 120, "pytorch-converted": 53, "pytorch-operator": 8, "simple": 1}
TOTAL = {"node": 256, "pytorch-converted": 77, "pytorch-operator": 23, "simple": 1}


def _check(family):
    found = conformance.outcomes(family)
    assert [outcome for outcome in found if outcome.result == "wrong"] == []
    assert all(outcome.reason for outcome in found if outcome.result == "refused")
    assert sum(outcome.result == "passed" for outcome in found) >= PASSED[family]
    return len(found)


@pytest.mark.parametrize("family", ["pytorch-converted", "pytorch-operator"])
def test_networks_that_pytorch_wrote(family):
    assert _check(family) >= PASSED[family]


@pytest.mark.slow
@pytest.mark.parametrize("family", conformance.FAMILIES)
def test_the_whole_family(family):
    if _check(family) < TOTAL[family]:
        pytest.fail(f"{family}: fewer relevant cases than {TOTAL[family]}; did onnx change?")


def test_a_case_with_wrong_numbers_is_wrong():
    case, model = next(
        (case, model)
        for case, model in conformance.cases("pytorch-converted")
        if case.name == "test_ReLU"
    )
    assert conformance.outcome("", case, model).result == "passed"
    model.graph.node[0].op_type = "Tanh"
    assert conformance.outcome("", case, model).result == "wrong"


def test_weights_may_come_as_inputs():
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    proto = models.model([node], {"x": (1, 2, 4, 4), "w": (3, 2, 3, 3)})
    prepared = backend.prepare(proto)
    for number in (1, 2):
        x, w = models.normal(1, 2, 4, 4), models.normal(3, 2, 3, 3, number=number)
        (y,) = prepared.run([x, w])
        np.testing.assert_allclose(y, models.reference(proto, x=x, w=w), rtol=1e-5, atol=1e-5)


def test_the_class_that_onnx_s_runner_takes():
    kind = backend.backend()
    assert kind.supports_device("CPU")
    assert not kind.supports_device("TPU")
    x = models.normal(2, 3)
    proto = models.model([helper.make_node("Relu", ["x"], ["y"])], {"x": (2, 3)})
    np.testing.assert_array_equal(kind.run_model(proto, [x])[0], np.maximum(x, 0))
    with pytest.raises(DeviceError, match="'TPU' is not here"):
        kind.prepare(proto, "TPU")
