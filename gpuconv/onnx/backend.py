"""ONNX's interface for backends (onnx.backend.base): a model in, its outputs out."""

from functools import cache
from typing import Any

import numpy as np

from .. import device as devices
from ..errors import DeviceError, OnnxError
from .importer import load

PLACES = {"CPU": "cpu", "CUDA": "cuda"}


class Prepared:
    """A model on a device; ``run(inputs)`` returns a tuple of NumPy arrays.

    Where a model takes its weights as inputs, as ONNX's tests of single operators do, all inputs
    but the first are held for constants at every run.
    """

    def __init__(self, model: Any, device: str = "CPU") -> None:
        self.model, self.place = model, PLACES[device.split(":")[0]]
        self.refused: OnnxError | None = None
        try:
            self.net = load(model.SerializeToString()).to(self.place)
        except OnnxError as error:
            if len(_asked(model)) < 2:
                raise
            self.refused = error

    def run(self, inputs: Any, **options: Any) -> tuple[np.ndarray, ...]:
        """The outputs; raises OnnxError if the model is outside what gpuconv does."""
        arrays = [np.asarray(values) for values in inputs]
        net = self.net if self.refused is None else self._with_constants(arrays)
        given = [devices.to_device(a, devices.get(self.place)) for a in arrays[: len(net.inputs)]]
        made = net(*given)
        made = made if isinstance(made, tuple) else (made,)
        return tuple(devices.to_numpy(values) for values in made)

    def _with_constants(self, arrays: list[np.ndarray]) -> Any:
        from onnx import ModelProto, numpy_helper

        model = ModelProto.FromString(self.model.SerializeToString())
        for name, values in list(zip(_asked(model), arrays, strict=False))[1:]:
            model.graph.initializer.append(numpy_helper.from_array(values, name))
        return load(model.SerializeToString()).to(self.place)


def _asked(model: Any) -> list[str]:
    """The inputs that a caller gives: those that no initialiser holds."""
    held = {tensor.name for tensor in model.graph.initializer}
    return [value.name for value in model.graph.input if value.name not in held]


def supports_device(device: str) -> bool:
    """Whether models run on "CPU" or "CUDA" here."""
    try:
        return bool(devices.get(PLACES[device.split(":")[0]]))
    except (KeyError, DeviceError):
        return False


def prepare(model: Any, device: str = "CPU", **options: Any) -> Prepared:
    """A ModelProto ready to run; raises OnnxError, or DeviceError for a device that is not here."""
    if not supports_device(device):
        raise DeviceError(f"onnx: device {device!r} is not here; expected CPU, or CUDA with a GPU")
    return Prepared(model, device)


def run_model(model: Any, inputs: Any, device: str = "CPU", **options: Any) -> tuple:
    """Prepare and run at once."""
    return prepare(model, device).run(inputs)


@cache
def backend() -> Any:
    """The same as a class, an ``onnx.backend.base.Backend``, which ONNX's own test runner takes."""
    from onnx.backend.base import Backend

    members = {
        "prepare": classmethod(lambda _, model, device="CPU", **more: prepare(model, device)),
        "supports_device": classmethod(lambda _, device: supports_device(device)),
        "is_compatible": classmethod(lambda *_, **more: True),
    }
    return type("GpuconvBackend", (Backend,), members)
