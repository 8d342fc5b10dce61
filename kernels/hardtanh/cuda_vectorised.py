"""vectorised: 16 bytes a thread."""

from gpuconv.cuda import Source

from .._cost import VECTOR, streaming
from .._cuda import Launcher
from .op import hardtanh, hardtanh_backward

SOURCE = Source(__file__)


@hardtanh.kernel("vectorised", backend="cuda", cost=streaming(hardtanh, VECTOR))
def forward(outs, ins, problem, work):
    """y = min(max(x, min_val), max_val)."""
    launch = Launcher(SOURCE, problem)
    launch.each_vector("hardtanh", (*outs, *ins), *map(launch.real, problem.bounds))


@hardtanh_backward.kernel("vectorised", backend="cuda", cost=streaming(hardtanh_backward, VECTOR))
def backward(outs, ins, problem, work):
    """dx = dy where min_val < y < max_val, else 0."""
    launch = Launcher(SOURCE, problem)
    launch.each_vector("hardtanh_backward", (*outs, *ins), *map(launch.real, problem.bounds))
