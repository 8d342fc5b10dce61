"""The battery over every Op x Kernel x case x dtype that the registry knows, on every device."""

import pytest
from devices import marks

from gpuconv import battery, device, registry


def _every():
    for op in registry.ops().values():
        for kernel in op.kernels():
            for kind in kernel.devices:
                for problem in battery.cases(op):
                    for optional in battery.variants(op):
                        suffix = "" if optional else " bare"
                        name = f"{op.name}[{kernel.name}] {kind} {problem}{suffix}"
                        yield pytest.param(
                            (op, kernel, kind, problem, optional),
                            id=name.replace(" ", ","),
                            marks=marks(kernel, kind),
                        )


@pytest.mark.parametrize("case", list(_every()))
def test_kernel(case):
    op, kernel, kind, problem, optional = case
    here = device.Device(kind)
    reason = kernel.objection(problem, here, registry.current_limits())
    if reason is not None:
        with pytest.raises(registry.KernelError, match="no kernel takes"):
            registry.choose(op, problem, here, kernel.name)
        return
    battery.check(op, kernel, problem, here, optional=optional)
