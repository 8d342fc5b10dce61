"""The peers that kernels are compared with: PyTorch's, which for convolutions are cuDNN's.

Each peer states its precision and format: PyTorch's convolutions take TF32 unless told not to.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from gpuconv.problem import Problem

from .measure import FLUSH, Clocked
from .torch_ops import CALLS, PREPARED


@dataclass(frozen=True)
class Peer:
    """``torch`` in one precision ("fp32" or "tf32") and memory format."""

    precision: str
    channels_last: bool

    @property
    def name(self) -> str:
        """Name in tables."""
        return f"torch {self.precision} {'NHWC' if self.channels_last else 'NCHW'}"


@cache
def missing() -> str | None:
    """Why there is no peer, or None."""
    if not find_spec("torch"):
        return "PyTorch is not installed"
    try:
        import torch

        seen = torch.cuda.is_available()
    except Exception as error:  # a library that it needs may be missing, or of another version
        return f"PyTorch cannot be used ({type(error).__name__}: {error})"
    return None if seen else "PyTorch sees no GPU"


def peers(op: str) -> list[Peer]:
    """The peers of an op; none where it has no counterpart here."""
    if op not in CALLS:
        return []
    precisions = ("fp32", "tf32") if op.startswith(("conv2d", "linear")) else ("fp32",)
    formats = (False, True) if op.startswith(("conv2d", "max_pool2d", "avg_pool2d")) else (False,)
    return [Peer(p, f) for p in precisions for f in formats]


def refuses(op: str, problem: Any) -> str | None:
    """Why PyTorch has no counterpart of this problem, or None."""
    if op not in CALLS:
        return f"no counterpart of {op} is written down (benchmarks/torch_ops.py)"
    if problem.epilogue not in ("", "relu"):
        return f"{op} with the epilogue {problem.epilogue} is several calls"
    if any(before != after for before, after in getattr(problem, "padding", ())):
        return f"{op} pads both sides alike"
    return None


@contextmanager
def settings(peer: Peer) -> Iterator[None]:
    """PyTorch with cuDNN's own choice of algorithm, and TF32 as the peer has it."""
    import torch

    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.benchmark = True
    cudnn.allow_tf32 = matmul.allow_tf32 = peer.precision == "tf32"
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


def call(peer: Peer, op: str, problem: Problem, ins: list[Any]) -> Callable[[], Any]:
    """A call without arguments that does the op on the same arrays, which are not copied."""
    import torch

    tensors = [None if a is None else torch.from_dlpack(a) for a in ins]
    if peer.channels_last:
        tensors = [
            t if t is None or t.ndim != 4 else t.contiguous(memory_format=torch.channels_last)
            for t in tensors
        ]
    if op in PREPARED:
        tensors = PREPARED[op](torch, problem, *tensors)
    if problem.epilogue == "relu":
        return lambda: torch.relu_(CALLS[op](torch, problem, *tensors))
    return lambda: CALLS[op](torch, problem, *tensors)


def on_gpu(
    peer: Peer, op: str, problem: Problem, ins: list[Any]
) -> tuple[Callable[[], Any], Clocked]:
    """The op on PyTorch's GPU: a call that gives its outs, and the same by the GPU's own clock.

    The caches are cold before each call, as for our kernels.
    """
    import torch

    scratch = torch.empty(FLUSH, dtype=torch.uint8, device="cuda")
    run = call(peer, op, problem, [a if a is None else torch.from_numpy(a).cuda() for a in ins])

    def outs() -> Any:
        with settings(peer):
            return run()

    def seconds(count: int) -> float:
        total = 0.0
        with settings(peer):
            for _ in range(count):
                scratch.zero_()
                begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                begin.record()
                run()
                end.record()
                end.synchronize()
                total += begin.elapsed_time(end) / 1e3
        return total / count

    return outs, Clocked(seconds)


def to_array(result: Any) -> Any:
    """A peer's result as NumPy's, in NCHW."""
    return result.contiguous().cpu().numpy()


def main() -> None:
    """Print which ops have a counterpart, in PyTorch and in onnxruntime."""
    from gpuconv import registry

    from . import onnx_ops

    for name in registry.ops():
        found = [
            library
            for library, ops in (("torch", CALLS), ("onnxruntime", onnx_ops.NODES))
            if name in ops
        ]
        print(f"{name:30} {', '.join(found) or 'none'}")


if __name__ == "__main__":
    main()
