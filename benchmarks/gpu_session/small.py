"""Every CUDA kernel on its first cases, for a tool to watch: ``python -m`` this module."""

from itertools import islice, product

from gpuconv import battery, device, registry
from gpuconv.limits import current_limits

CASES = 3  # of each kernel and dtype


def main() -> None:
    """Run them on the GPU; the values are the battery's business, not this one's."""
    here, count = device.get("cuda"), 0
    for op in registry.ops().values():
        for kernel in (k for k in op.kernels() if here.kind in k.devices):
            for problem, given in islice(product(battery.cases(op), battery.variants(op)), CASES):
                if kernel.objection(problem, here, current_limits()) is None:
                    arrays = battery.draw(op, problem, optional=given)
                    battery.outs_of(op, kernel, problem, here, arrays)
                    count += 1
    print(f"{count} launches of small cases")


if __name__ == "__main__":
    main()
