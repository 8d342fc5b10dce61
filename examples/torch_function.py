"""A convolution of gpuconv as a function of PyTorch, with its gradients.

``python examples/torch_function.py`` compares it with torch.nn.functional.conv2d and runs
torch.autograd.gradcheck on it. PyTorch is no dependency of gpuconv: install it to run this. Memory
goes both ways through DLPack, and nothing is copied.
"""

import sys
from typing import Any

import gpuconv as gcv
from gpuconv import ops

OPTIONS: dict[str, Any] = {"stride": 2, "padding": 1, "dilation": 1, "groups": 2}
MISSING = "this example needs PyTorch, which is not here: pip install torch"


def make_conv2d(torch: Any) -> Any:
    """conv2d(x, weight, bias) on tensors, differentiable in all three."""

    def ours(tensor: Any) -> Any:
        return gcv.asarray(tensor.detach().contiguous())

    class Conv2d(torch.autograd.Function):  # type: ignore[misc]
        """The three convolutions: forward, of the input, of the weight."""

        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
            """y = x * weight + bias."""
            ctx.save_for_backward(x, weight)
            return torch.from_dlpack(ops.conv2d(ours(x), ours(weight), ours(bias), **OPTIONS))

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            """dy * weight, dy * x and the sum of dy, each where it is needed."""
            x, weight = ctx.saved_tensors
            gradient, (need_x, need_weight, need_bias) = ours(dy), ctx.needs_input_grad
            dx = dweight = dbias = None
            if need_x:
                dx = ops.conv2d_input(gradient, ours(weight), tuple(x.shape), **OPTIONS)
            if need_weight:
                dweight = ops.conv2d_weight(ours(x), gradient, tuple(weight.shape), **OPTIONS)
            if need_bias:
                dbias = ops.channel_sum(gradient)
            return tuple(d if d is None else torch.from_dlpack(d) for d in (dx, dweight, dbias))

    return Conv2d.apply


def main() -> int:
    """Compare and check; the exit code is 0 where everything agrees."""
    try:
        import torch
    except ImportError:
        print(MISSING, file=sys.stderr)
        return 1
    conv2d, generator = make_conv2d(torch), torch.Generator().manual_seed(0)
    shapes = (2, 4, 7, 6), (6, 2, 3, 3), (6,)
    given = [torch.randn(s, dtype=torch.float64, generator=generator) for s in shapes]
    for tensor in given:
        tensor.requires_grad_()
    theirs = torch.nn.functional.conv2d(*given, **OPTIONS)
    off = float((conv2d(*given) - theirs).detach().abs().max())
    checked = torch.autograd.gradcheck(conv2d, given)
    print(f"largest difference from torch.nn.functional.conv2d: {off:.1e}")
    print(f"torch.autograd.gradcheck: {checked}")
    return 0 if checked and off < 1e-12 else 1


if __name__ == "__main__":
    sys.exit(main())
