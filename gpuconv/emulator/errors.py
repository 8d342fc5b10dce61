"""What the checks of the emulator report, each with the kernel, the place and the thread."""

from ..errors import GpuconvError

Index = tuple[int, int, int]


class EmulatorError(GpuconvError, RuntimeError):
    """A fault of a kernel: ``kernel``, ``file``, ``line`` of the access, ``thread``, ``block``.

    ``file`` is "?" and ``line`` 0 where the compiler kept no place.
    """

    def __init__(
        self, message: str, kernel: str, file: str, line: int, thread: Index, block: Index
    ) -> None:
        self.kernel, self.file, self.line = kernel, file, line
        self.thread, self.block = thread, block
        super().__init__(
            f"{file}:{line}: {kernel}: {message} [thread {_plain(thread)} of block {_plain(block)}]"
        )

    def __reduce__(self) -> tuple:
        return _restore, (type(self), self.args, self.__dict__)


class BoundsError(EmulatorError):
    """An access outside every array, past a shared or local one, or a write to a const one."""


class UninitializedError(EmulatorError):
    """A read of shared memory that no thread of the block has written."""


class RaceError(EmulatorError):
    """Two accesses by different threads, one of them a write, that nothing orders."""


class BarrierError(EmulatorError):
    """A barrier or warp collective that not all of its threads reach, or not the same one."""


class AlignmentError(EmulatorError):
    """An address that is not a multiple of what its type wants."""


class UndefinedBehaviourError(EmulatorError):
    """Signed overflow, a shift by the whole width, division by zero and the like."""


class TrapError(EmulatorError):
    """The kernel called ``__trap()``."""


# In the order of emu::Kind (runtime/state.h), which starts with none.
KINDS: tuple[type[EmulatorError], ...] = (
    EmulatorError,
    BoundsError,
    UninitializedError,
    RaceError,
    BarrierError,
    AlignmentError,
    UndefinedBehaviourError,
    TrapError,
)


def _plain(index: Index) -> str:
    return f"({index[0]},{index[1]},{index[2]})"


def _restore(kind: type[EmulatorError], args: tuple, state: dict) -> EmulatorError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
