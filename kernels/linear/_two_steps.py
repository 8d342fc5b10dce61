"""What kernels share that compute a weight gradient first and take the step of SGD then."""

from typing import Any

import numpy as np

from gpuconv.device import Device

from .op import LinearSGDProblem


def gradient_bytes(problem: LinearSGDProblem, device: Device) -> int:
    """Bytes of the weight gradient."""
    return problem.o * problem.i * np.dtype(problem.dtype).itemsize


def gradient_in(work: Any, problem: LinearSGDProblem) -> Any:
    """The workspace's first bytes as the weight gradient."""
    size = problem.o * problem.i * np.dtype(problem.dtype).itemsize
    return work[:size].view(problem.dtype).reshape(problem.o, problem.i)
