"""Small ONNX models for the tests, and what onnx's own reference makes of them."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from gpuconv.random import Stream


def normal(*shape, number=0):
    return Stream(11, number).normal(shape).astype(np.float32)


def model(nodes, inputs, constants=None, opset=17, outputs=("y",)):
    """A ModelProto; ``inputs`` maps names to shapes, ``constants`` names to arrays."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(a, n) for n, a in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def reference(proto, **inputs):
    return ReferenceEvaluator(proto).run(None, inputs)[0]


def small_net():
    """A net with names as PyTorch gives them, and a batch that is left open."""
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight"], ["a"], name="conv", pads=[1, 0, 0, 1]),
        helper.make_node("BatchNormalization", ["a", "g", "b", "bn.m", "bn.v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        helper.make_node("Shape", ["p"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["p", "target"], ["f"]),
        helper.make_node("MatMul", ["f", "fc.weight"], ["m"]),
        helper.make_node("Add", ["m", "fc.bias"], ["y"]),
    ]
    constants = {
        "conv.weight": normal(4, 2, 3, 3),
        "g": normal(4, number=1),
        "b": normal(4, number=2),
        "bn.m": normal(4, number=3),
        "bn.v": np.abs(normal(4, number=4)) + 0.5,
        "zero": np.array([0], np.int64),
        "rest": np.array([-1], np.int64),
        "fc.weight": normal(4 * 4 * 3, 5, number=5),
        "fc.bias": normal(5, number=6),
    }
    return model(nodes, {"x": ["batch", 2, 8, 7]}, constants)
