"""Typed errors: each names the operation, what came, what was expected and what to do."""


class GpuconvError(Exception):
    """Base of every error that gpuconv raises on purpose."""


class ShapeError(GpuconvError, ValueError):
    """Shapes that do not fit an operation or each other."""


class DtypeError(GpuconvError, TypeError):
    """A dtype that an operation does not take, or arrays whose dtypes differ."""


class OptionError(GpuconvError, ValueError):
    """An option or argument outside what is allowed."""


class KernelError(GpuconvError, LookupError):
    """No kernel of that name, or none that takes the problem."""


class DeviceError(GpuconvError, RuntimeError):
    """A device that is not here, or arrays that live on different ones."""


class CompileError(GpuconvError, RuntimeError):
    """A kernel source that does not compile; ``file`` and ``line`` say where (None: unknown)."""

    def __init__(self, message: str, file: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.file, self.line = file, line


class LaunchError(GpuconvError, ValueError):
    """A kernel launch whose grid, block, shared memory or arguments are not possible."""


class GraphError(GpuconvError, ValueError):
    """A graph that cannot be built or run: unknown handle, taken name, missing output."""


class DataError(GpuconvError, ValueError):
    """Data files that are missing, corrupt or not what they should be."""


class StateError(GpuconvError, ValueError):
    """A state dict or checkpoint that does not belong to the net."""


class WeightsError(StateError):
    """A file of weights that is missing, damaged, or holds more than tensors."""


class OnnxError(GpuconvError, ValueError):
    """An ONNX model that is damaged, or asks for what gpuconv does not do; names the node."""


class RunError(GpuconvError, OSError):
    """A run folder that is missing, incomplete or in the way."""


class NonFiniteLossError(GpuconvError, FloatingPointError):
    """The training loss became NaN or infinite.

    ``finite`` are the losses read since the last callback that were not, as (step, loss);
    ``epoch`` is theirs.
    """

    def __init__(
        self, message: str, finite: tuple[tuple[int, float], ...] = (), epoch: int = 0
    ) -> None:
        super().__init__(message)
        self.finite, self.epoch = finite, epoch
