"""ONNX's own tests of backends over what a convolutional network needs: a table by family.

``python -m gpuconv.onnx.conformance`` prints it, with the reason of every case that is refused.
The nine networks of the family "real" are left out: their weights are all one constant, so that a
wrong network passes.
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GpuconvError, OnnxError
from .backend import prepare

FAMILIES = ("node", "pytorch-converted", "pytorch-operator", "simple")
RELEVANT = """
    Conv ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool
    MaxUnpool Relu LeakyRelu PRelu Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish
    Tanh Softplus Softsign Clip BatchNormalization InstanceNormalization LRN Gemm MatMul Softmax
    LogSoftmax Dropout Concat Pad Flatten Reshape Transpose Squeeze Unsqueeze Identity Add Sub
    Mul Div Sum Mean ReduceMean Constant ConstantOfShape Split Slice Upsample DepthToSpace
"""


@dataclass(frozen=True)
class Outcome:
    """What became of a case: "passed", "refused" with a reason, or "wrong"."""

    family: str
    name: str
    result: str
    reason: str = ""


def cases(family: str) -> Iterator[Any]:
    """The relevant cases of a family: float32 and int64, no operator besides RELEVANT."""
    import onnx
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():  # the cases for other dtypes are made too, and overflow
        warnings.simplefilter("ignore", RuntimeWarning)
        every = load_model_tests(kind=family)
    for case in every:
        model = case.model or onnx.load(f"{case.model_dir}/model.onnx")
        if _is_wanted(family, model):
            yield case, model


def _is_wanted(family: str, model: Any) -> bool:
    if not {node.op_type for node in model.graph.node} <= set(RELEVANT.split()):
        return False
    ends = (*model.graph.input, *model.graph.output)
    kinds = {value.type.tensor_type.elem_type for value in ends}
    return family != "node" or (len(model.graph.node) == 1 and kinds <= {1, 7})


def outcome(family: str, case: Any, model: Any) -> Outcome:
    """Run a case as ONNX's runner does, with the case's own tolerances."""
    from onnx.backend.test.runner import Runner

    try:
        prepared = prepare(model)
        for inputs, expected in _data(case):
            made = prepared.run(inputs)
            Runner.assert_similar_outputs(expected, made, case.rtol, case.atol)
    except OnnxError as error:
        return Outcome(family, case.name, "refused", str(error).partition("; supported: Add")[0])
    except (AssertionError, GpuconvError) as error:
        return Outcome(family, case.name, "wrong", " ".join(str(error).split())[:100])
    return Outcome(family, case.name, "passed")


def _data(case: Any) -> Iterator[tuple[list, list]]:
    """(inputs, outputs) of every data set, from memory or from the case's folder."""
    from pathlib import Path

    if case.data_sets is not None:
        yield from case.data_sets
        return
    for folder in sorted(Path(case.model_dir).glob("test_data_set_*")):
        yield _stored(folder, "input"), _stored(folder, "output")


def _stored(folder: Any, which: str) -> list[np.ndarray]:
    from onnx import TensorProto, numpy_helper

    count = len(list(folder.glob(f"{which}_*.pb")))
    files = [folder / f"{which}_{number}.pb" for number in range(count)]
    return [numpy_helper.to_array(TensorProto.FromString(f.read_bytes())) for f in files]


def outcomes(family: str) -> list[Outcome]:
    """What became of every relevant case of the family."""
    return [outcome(family, case, model) for case, model in cases(family)]


def main() -> None:
    """Print passed / total by family, then what was refused and why."""
    found = {family: outcomes(family) for family in FAMILIES}
    for family, results in found.items():
        passed = sum(outcome.result == "passed" for outcome in results)
        print(f"{family:20} {passed:4} / {len(results)}")
    everything = [outcome for results in found.values() for outcome in results]
    for result, count in sorted(Counter(outcome.result for outcome in everything).items()):
        print(f"{result:20} {count:4}")
    for outcome in everything:
        if outcome.result != "passed":
            print(f"{outcome.result} {outcome.name}: {outcome.reason}")


if __name__ == "__main__":
    main()
