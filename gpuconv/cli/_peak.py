"""What a training really takes: the peak of a process of its own."""

import ctypes
import gc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from .. import models
from ..cpu import memory
from ..errors import OptionError
from ..graph import Graph
from ..training.fingerprints import batch
from ..training.footprint import STEPS
from ..training.optimizers import SGD
from ..training.trainer import Trainer

_STATUS, _REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def optimizer(net: Graph) -> SGD:
    """As gpuconv train has it."""
    return SGD(net.parameters(), 1e-4, momentum=0.9, weight_decay=5e-4)


def measured(model: str, num_classes: int | None, size: int) -> int:
    """Bytes that some training steps took at their peak, the program itself left out.

    Raises OptionError where the system does not tell (it does on Linux).
    """
    if not _REFS.exists():
        raise OptionError("summary --measure: only Linux tells the most memory that a process held")
    context: Any = get_context("spawn")
    with ProcessPoolExecutor(1, context) as processes:
        return processes.submit(_measure, model, num_classes, size).result()


def _measure(model: str, num_classes: int | None, size: int) -> int:
    _train(model, num_classes, 1)  # imports, compiled kernels
    gc.collect()
    memory.SHELF.clear()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    _REFS.write_text("5")  # the peak is counted anew
    before = _status("VmRSS")
    _train(model, num_classes, size)
    return _status("VmHWM") - before


def _train(model: str, num_classes: int | None, size: int) -> None:
    net = models.create(model, num_classes)
    Trainer(net, optimizer(net), read_every=1).fit([batch(net, size, 0, 0)] * STEPS)


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
