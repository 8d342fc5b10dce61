"""CUDA C++ on the CPU: the ``.cu`` files as they are, each thread a fiber, under checks.

``Module(path, mode="check").function(name)(grid, block, args)``; see docs/emulator.md. Kernels in
Python, for Numba-CUDA, run too: ``NumbaFunction(kernel)(grid, block, args, options)``.
"""

from .build import available as available
from .errors import AlignmentError as AlignmentError
from .errors import BarrierError as BarrierError
from .errors import BoundsError as BoundsError
from .errors import EmulatorError as EmulatorError
from .errors import RaceError as RaceError
from .errors import TrapError as TrapError
from .errors import UndefinedBehaviourError as UndefinedBehaviourError
from .errors import UninitializedError as UninitializedError
from .function import Function as Function
from .module import Module as Module
from .numba_function import NumbaFunction as NumbaFunction
from .options import MODES as MODES
from .options import ORDERS as ORDERS
from .options import Options as Options
from .options import current_options as current_options
from .options import options as options
from .statistics import LineStatistics as LineStatistics
from .statistics import Statistics as Statistics
