"""What the CUDA kernels of the activations share: the ops, and the options that go with each."""

from ..elementwise import ElementwiseProblem
from .op import (
    EluProblem,
    LeakyReluProblem,
    TanhProblem,
    elu,
    elu_backward,
    leaky_relu,
    leaky_relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)

OPS = (
    *(leaky_relu, leaky_relu_backward, elu, elu_backward),
    *(sigmoid, sigmoid_backward, tanh, tanh_backward),
)


def options(problem: ElementwiseProblem) -> tuple[float, ...]:
    """The numbers that an entry takes behind its arrays."""
    if isinstance(problem, LeakyReluProblem):
        return (problem.negative_slope,)
    if isinstance(problem, EluProblem):
        return (problem.depth, problem.scale)
    return (problem.scale, problem.slope) if isinstance(problem, TanhProblem) else ()
