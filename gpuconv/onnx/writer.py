"""What an ONNX file is made of, gathered node by node; knows nothing of layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import device as devices
from ..errors import OptionError

LIMIT = 2**31 - 2**20  # bytes of values; protobuf holds 2 GiB, of which the nodes need some
PRODUCER = "gpuconv"
BATCH = "N"  # the name of the batch's size, which no file fixes
Dims = Sequence[int | str | None]


class Writer:
    """Nodes, values and constants of one graph.

    ``state`` holds the arrays by their names in the state dict; only those that a node reads are
    written. Constants are nodes, so that initialisers are the state dict and nothing else.
    """

    def __init__(self, state: Mapping[str, Any], dtype: str) -> None:
        self.state, self.dtype = state, dtype
        self.initializers: dict[str, Any] = {}
        self._nodes: list[Any] = []
        self._taken = set(state)

    def name(self, wanted: str) -> str:
        """The name, or the first one with a number after it that nothing has yet."""
        found, number = wanted, 0
        while found in self._taken:
            number += 1
            found = f"{wanted}_{number}"
        self._taken.add(found)
        return found

    def node(self, path: str, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; returns the name of its value."""
        from onnx import helper

        result = self.name(path)
        self._nodes.append(helper.make_node(op, list(inputs), [result], result, **attributes))
        return result

    def constant(self, path: str, values: Any, dtype: str | None = None) -> str:
        """Values that are no parameters, in the net's dtype unless told otherwise."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype or self.dtype)
        return self.node(f"{path}_constant", "Constant", [], value=numpy_helper.from_array(array))

    def initializer(self, name: str) -> str:
        """An array of the state dict; returns its name."""
        self.initializers[name] = self.state[name]
        return name

    def content(
        self,
        inputs: Mapping[str, Dims],
        outputs: Mapping[str, Dims],
        opset: int,
        metadata: Mapping[str, str],
    ) -> bytes:
        """The bytes of the file.

        Raises OptionError if they are more than protobuf holds, or if onnx finds the graph wrong.
        """
        from onnx import helper

        self._require_room()
        self._require_valid(inputs, outputs, opset)
        model = self._model(inputs, outputs, opset, self._tensors())
        helper.set_model_props(model, dict(metadata))
        return bytes(model.SerializeToString(deterministic=True))

    def _model(
        self, inputs: Mapping[str, Dims], outputs: Mapping[str, Dims], opset: int, tensors: list
    ) -> Any:
        from onnx import helper

        ends = self._infos(inputs), self._infos(outputs)
        versions = [helper.make_opsetid("", opset)]
        return helper.make_model(
            helper.make_graph(self._nodes, PRODUCER, *ends, tensors),
            opset_imports=versions,
            ir_version=helper.find_min_ir_version_for(versions),
            producer_name=PRODUCER,
        )

    def _require_valid(
        self, inputs: Mapping[str, Dims], outputs: Mapping[str, Dims], opset: int
    ) -> None:
        """Let onnx check everything but the values: they stand as inputs, so nothing is copied."""
        from onnx import checker, shape_inference

        shapes = {name: tuple(array.shape) for name, array in self.initializers.items()}
        model = self._model({**inputs, **shapes}, outputs, opset, [])
        try:
            checker.check_model(model, full_check=True)
        except (checker.ValidationError, shape_inference.InferenceError) as error:
            raise OptionError(
                "onnx.save: onnx finds the graph wrong for this input_shape; does the net take it? "
                f"({error})"
            ) from None

    def _require_room(self) -> None:
        size = sum(int(array.nbytes) for array in self.initializers.values())
        if size > LIMIT:
            raise OptionError(
                f"onnx.save: the net has {size:,} bytes of values, and one ONNX file holds "
                f"{LIMIT:,}; save its weights with gpuconv.save, or export it in parts"
            )

    def _infos(self, values: Mapping[str, Dims]) -> list[Any]:
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        return [helper.make_tensor_value_info(n, kind, list(d)) for n, d in values.items()]

    def _tensors(self) -> list[Any]:
        from onnx import numpy_helper

        return [
            numpy_helper.from_array(np.asarray(devices.to_numpy(array), order="C"), name)
            for name, array in self.initializers.items()
        ]
