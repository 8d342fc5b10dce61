"""Command line: one file per command."""

from . import bench as _bench  # noqa: F401 - each registers its command
from . import check as _check  # noqa: F401
from . import data as _data  # noqa: F401
from . import determinism as _determinism  # noqa: F401
from . import doctor as _doctor  # noqa: F401
from . import evaluate as _evaluate  # noqa: F401
from . import explain as _explain  # noqa: F401
from . import export as _export  # noqa: F401
from . import kernels as _kernels  # noqa: F401
from . import models as _models  # noqa: F401
from . import pack as _pack  # noqa: F401
from . import plot as _plot  # noqa: F401
from . import predict as _predict  # noqa: F401
from . import runs as _runs  # noqa: F401
from . import summary as _summary  # noqa: F401
from . import train as _train  # noqa: F401
from . import tune as _tune  # noqa: F401
from ._app import app as app


def main() -> None:
    """Entry point of the ``gpuconv`` command."""
    app()
