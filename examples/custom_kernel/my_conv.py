"""cached_filter: a CUDA kernel of your own, registered from a file of your own.

``gpuconv check examples/custom_kernel/my_conv.py`` proves it without a GPU, and
``Conv2d(..., algorithm="cached_filter")`` trains with it once this file is imported.
"""

from math import prod

import numpy as np

from gpuconv.cuda import Source, index_type, pack
from gpuconv.kernels.conv2d.op import conv2d

SOURCE = Source(__file__)  # my_conv.cu beside this file
THREADS = 128
SHARED = 48 << 10
REAL = {"float32": "float", "float64": "double"}


def refuses(problem, device):
    """What the kernel does not take, said in words: the chooser shows them."""
    filter_bytes = prod(problem.spec("weight")[0][1:]) * np.dtype(problem.dtype).itemsize
    if problem.groups != 1:
        return "takes no groups"
    if filter_bytes > SHARED:
        return f"keeps a filter in {SHARED:,} bytes of shared memory, this one has {filter_bytes:,}"
    return None if problem.epilogue in ("", "relu") else f"knows no epilogue {problem.epilogue!r}"


@conv2d.kernel("cached_filter", backend="cuda", rank=95, refuses=refuses)
def forward(outs, ins, problem, work):
    """Arguments are checked, outputs allocated: launch."""
    (y,), (x, weight, bias) = outs, ins
    fields = {name: getattr(problem, name) for name in "chwkrspq"}
    fields |= dict(zip(("stride_h", "stride_w"), problem.stride, strict=True))
    fields |= {"pad_top": problem.padding[0][0], "pad_left": problem.padding[1][0]}
    fields |= dict(zip(("dilation_h", "dilation_w"), problem.dilation, strict=True))
    fields |= {"has_bias": int(bias is not None), "relu": int(problem.epilogue == "relu")}
    index = index_type(x.size, y.size, weight.size)
    function = SOURCE.function("cached_filter", REAL=REAL[problem.dtype], INDEX=index)
    filter_bytes = weight[:1].nbytes
    args = (y, x, weight, weight if bias is None else bias, pack(fields))
    function((problem.n * problem.k,), (THREADS,), args, filter_bytes)
