"""direct: a thread for each element."""

from gpuconv.cuda import Source

from .._cost import SCALAR, streaming
from ..batch_norm._cuda import affine, launcher, struct
from .op import batch_norm_inference

SOURCE = Source(__file__)


@batch_norm_inference.kernel("direct", backend="cuda", cost=streaming(batch_norm_inference, SCALAR))
def forward(outs, ins, problem, work):
    """y = (x - mean) * (invstd * weight) + bias."""
    (y,), (x, weight, bias, *running) = outs, ins
    run = launcher(SOURCE, problem)
    shape, epsilon = struct(run, problem, weight, bias), run.real(problem.epsilon)
    given = affine(x, weight, bias)
    run.each("batch_norm_inference", y.size, y, x, *given, *running, epsilon, shape)
