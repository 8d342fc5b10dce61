"""The only door to a GPU: sources, compiling, launching, and what is missing when there is none."""

from .arguments import check_arguments as check_arguments
from .arrays import aligned as aligned
from .driver import gpu as gpu
from .launch import BLOCK as BLOCK
from .launch import Function as Function
from .launch import grid_for as grid_for
from .launch import index_type as index_type
from .source import Source as Source
from .streams import Event as Event
from .streams import Stream as Stream
from .structs import pack as pack
