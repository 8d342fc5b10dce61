"""The battery over every Op x Kernel x case x dtype that the registry knows."""

import pytest

from gpuconv import battery, device, registry


def _every():
    for op in registry.ops().values():
        for kernel in op.kernels():
            for problem in battery.cases(op):
                for optional in battery.variants(op):
                    suffix = "" if optional else " bare"
                    name = f"{op.name}[{kernel.name}]-{problem}{suffix}".replace(" ", ",")
                    yield pytest.param(op, kernel, problem, optional, id=name)


@pytest.mark.parametrize(("op", "kernel", "problem", "optional"), list(_every()))
def test_kernel(op, kernel, problem, optional):
    here = device.get(kernel.devices[0])
    reason = kernel.objection(problem, here, registry.current_limits())
    if reason is not None:
        with pytest.raises(registry.KernelError, match="no kernel takes"):
            registry.choose(op, problem, here, kernel.name)
        return
    battery.check(op, kernel, problem, here, optional=optional)
