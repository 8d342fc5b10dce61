"""direct: one thread per parameter, the whole flat array in one launch."""

from gpuconv.cuda import Source

from .._cuda import Launcher
from .op import sgd

SOURCE = Source(__file__)


@sgd.kernel("direct", backend="cuda")
def run(outs, ins, problem, work):
    """One step of either form; see the reference for the formulas."""
    (parameter, velocity), (gradient, lr) = outs, ins
    launch = Launcher(SOURCE, problem)
    form = launch.struct(
        has_velocity=velocity is not None,
        nesterov=problem.nesterov,
        paper=problem.form == "paper",
    )
    arrays = parameter, parameter if velocity is None else velocity, gradient, lr
    options = map(launch.real, (problem.momentum, problem.weight_decay))
    launch.each("sgd", problem.size, *arrays, *options, form)
