"""CUDA C++ on the CPU: the same sources, under memory and race checks."""

from .options import ORDERS as ORDERS
from .options import Options as Options
from .options import current_options as current_options
from .options import options as options
