"""The CPU's vector units and cores: tiles of LLVM code, tasks in Python, threads to run them.

The only door to LLVM and to Numba's CPU compiler. ``tiles`` describes the inner loops that keep
their sums in vector registers, ``native`` turns them into machine code, ``jit`` compiles the loops
around them from Python, ``threads`` says how many cores work. Importing this package loads neither
Numba nor llvmlite.
"""

from . import native as native
from .drawing import Drawing as Drawing
from .pointwise import Pointwise as Pointwise
from .recording import host as host
from .rows import Rows as Rows
from .rows import Total as Total
from .simd import lanes_for as lanes_for
from .simd import level as level
from .simd import rows_for as rows_for
from .threads import get_num_threads as get_num_threads
from .threads import set_num_threads as set_num_threads
from .tiles import Outer as Outer
from .tiles import Product as Product
