"""The battery over every Op x Kernel x case x dtype that the registry knows, on every device."""

import pytest
from devices import marks

from gpuconv import battery, device, formats, registry


def _tier(kernel, problem):
    """A simulator in Python is slow, and a Numba kernel's code is the same in either dtype; so is a
    variant's."""
    late = kernel.backend == "numba_cuda" and problem.dtype == "float64"
    return [pytest.mark.slow] if late or kernel.variant_of else []


def _cases(op, kernel):
    yield from battery.cases(op)
    if "cpu" in kernel.devices:
        yield from battery.blocked_cases(op, kernel, formats.native())


def _every():
    for op in registry.ops().values():
        for kernel in op.kernels():
            for kind in kernel.devices:
                for problem in _cases(op, kernel):
                    for optional in battery.variants(op):
                        suffix = "" if optional else " bare"
                        name = f"{op.name}[{kernel.name}] {kind} {problem}{suffix}"
                        yield pytest.param(
                            (op, kernel, kind, problem, optional),
                            id=name.replace(" ", ","),
                            marks=marks(kernel, kind) + _tier(kernel, problem),
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
