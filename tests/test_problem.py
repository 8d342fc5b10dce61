"""What a problem says of its precision and of its arrays."""

from dataclasses import dataclass

import numpy as np
import pytest

from gpuconv import problem
from gpuconv.limits import PRECISIONS
from gpuconv.problem import Problem


@dataclass(frozen=True)
class Vector(Problem):
    size: int = 3

    def shapes(self):
        return {"x": (self.size,), "y": (self.size,), "bias": ()}

    def dtypes(self):
        return {"y": "int32"}


@pytest.mark.parametrize(
    ("given", "precision"),
    [({}, "fp32"), ({"dtype": "float64"}, "fp64"), ({"precision": "tf32"}, "tf32")],
)
def test_precision_is_the_dtypes_unless_said(given, precision):
    assert Vector(**given).precision == precision


def test_astype_goes_back_to_the_dtypes_own_precision():
    assert Vector(precision="tf32").astype("float64") == Vector(dtype="float64")
    assert Vector(dtype="float64", size=5).astype("float32") == Vector(size=5)


def test_eps_and_tiny_are_numpys():
    for dtype in ("float32", "float64"):
        problem = Vector(dtype=dtype)
        assert problem.eps == np.finfo(dtype).eps
        assert problem.tiny == np.finfo(dtype).tiny


def test_every_precision_has_its_numbers():
    assert set(problem.EPS) == set(problem.TINY) == {"fp64", *PRECISIONS}


def test_spec_knows_gradients_and_other_dtypes():
    problem = Vector(dtype="float64", size=2)
    assert problem.spec("x") == problem.spec("dx") == ((2,), "float64")
    assert problem.spec("y") == ((2,), "int32")
    assert str(problem) == "dtype=float64 epilogue= size=2"
