"""onnxruntime's counterparts of ops, as ONNX models of one node."""

from collections.abc import Callable
from typing import Any

from gpuconv.problem import Problem

from . import figures
from .contest import Refused

OPSET = 17
Node = tuple[str, dict[str, Any]]


def call(op: str, problem: Problem, arrays: list[Any], threads: int) -> Callable[[], Any]:
    """A call that runs the op's model on these arrays; raises Refused where it has none.

    Weights and biases are constants of the model, which onnxruntime may pack beforehand.
    """
    import onnxruntime as ort

    if op not in NODES:
        why = "onnxruntime does not train" if op.endswith(GRADIENTS) else "none is written down"
        raise Refused(figures.REFUSED, f"no counterpart of {op}: {why} (benchmarks/onnx_ops.py)")
    if problem.epilogue:
        raise Refused(figures.REFUSED, f"{op} with {problem.epilogue} is several nodes")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    model = _model(op, problem, arrays)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    free = {i.name: arrays[int(i.name)] for i in session.get_inputs()}
    return lambda: session.run(None, free)


def _model(op: str, problem: Problem, arrays: list[Any]) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    kind, options = NODES[op](problem)
    constant = _CONSTANT.get(op, 1 << 10)
    names = [str(number) for number in range(len(arrays))]
    tensors = [numpy_helper.from_array(a, n) for a, n in zip(arrays, names, strict=True)]
    inputs = [
        helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.dims) for t in tensors[:constant]
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node(kind, names, ["y"], **options)
    graph = helper.make_graph([node], op, inputs, [output], tensors[constant:])
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def _pads(p: Any) -> list[int]:
    (top, bottom), (left, right) = p.padding
    return [top, left, bottom, right]


def _conv(p: Any) -> Node:
    options = {"strides": p.stride, "dilations": p.dilation, "group": p.groups, "pads": _pads(p)}
    return "Conv", options


def _pool(p: Any) -> dict[str, Any]:
    return {
        "kernel_shape": p.kernel,
        "strides": p.stride,
        "pads": _pads(p),
        "ceil_mode": int(p.ceil_mode),
    }


def _elu(p: Any) -> Node:
    if p.scale != 1:
        raise Refused(figures.REFUSED, f"elu with a scale of {p.scale:g} is several nodes")
    return "Elu", {"alpha": p.alpha}


GRADIENTS = ("_backward", "_input", "_weight")
NODES: dict[str, Callable[[Any], Node]] = {
    "add": lambda p: ("Add", {}),
    "batch_norm_inference": lambda p: ("BatchNormalization", {"epsilon": p.epsilon}),
    "elu": _elu,
    "leaky_relu": lambda p: ("LeakyRelu", {"alpha": p.negative_slope}),
    "log_softmax": lambda p: ("LogSoftmax", {"axis": 1}),
    "sigmoid": lambda p: ("Sigmoid", {}),
    "softmax": lambda p: ("Softmax", {"axis": 1}),
    "avg_pool2d": lambda p: (
        "AveragePool",
        {**_pool(p), "count_include_pad": int(p.count_include_pad)},
    ),
    "conv2d": _conv,
    "linear": lambda p: ("Gemm", {"transB": 1}),
    "max_pool2d": lambda p: ("MaxPool", {**_pool(p), "dilations": p.dilation}),
    "relu": lambda p: ("Relu", {}),
}
# From which array on they are parameters.
_CONSTANT = {
    "conv2d": 1,
    "linear": 1,
    "batch_norm_inference": 1,
}
