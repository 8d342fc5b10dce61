"""Every op runs on a GPU: some CUDA kernel takes each of its cases, on a GPU and emulated."""

import pytest

from gpuconv import battery, registry
from gpuconv.device import CUDA, EMULATED


@pytest.mark.parametrize("device", [CUDA, EMULATED], ids=str)
@pytest.mark.parametrize("name", registry.ops())
def test_some_cuda_kernel_takes_every_case(name, device):
    op, limits = registry.get_op(name), registry.current_limits()
    kernels = [k for k in op.kernels() if k.backend == "cuda"]
    assert kernels, f"{name} has no CUDA kernel"
    for problem in battery.cases(op):
        reasons = {k.name: k.objection(problem, device, limits) for k in kernels}
        assert None in reasons.values(), f"{name}: nobody takes {problem}: {reasons}"
        assert registry.choose(op, problem, device).backend == "cuda"
