"""direct: one thread per element."""

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from .._cuda import Launcher
from .op import hardtanh, hardtanh_backward

SOURCE = Source(__file__)


@hardtanh.kernel("direct", backend="cuda", cost=streaming(hardtanh, SCALAR))
def forward(outs, ins, problem, work):
    """y = min(max(x, min_val), max_val)."""
    launch = Launcher(SOURCE, problem)
    launch.each("hardtanh", outs[0].size, *outs, *ins, *map(launch.real, problem.bounds))


@hardtanh_backward.kernel("direct", backend="cuda", cost=streaming(hardtanh_backward, SCALAR))
def backward(outs, ins, problem, work):
    """dx = dy where min_val < y < max_val, else 0."""
    launch = Launcher(SOURCE, problem)
    launch.each("hardtanh_backward", outs[0].size, *outs, *ins, *map(launch.real, problem.bounds))
