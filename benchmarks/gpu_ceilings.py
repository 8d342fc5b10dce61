"""What a GPU can do at most: the largest matrix product in float32, and copying in its memory."""

import numpy as np

from gpuconv import device as devices
from gpuconv.device import Device

from .cpu_vs_peers.ceilings import Ceilings
from .measure import measure

COPIED = 1 << 30  # bytes
SIDE = 8192  # of the matrices


def gpu_ceilings(device: Device) -> Ceilings:
    """Measured now, the shortest of several runs; CuPy multiplies in float32, not in TF32."""
    x = devices.empty((COPIED,), "uint8", device)
    ones = np.ones((SIDE, SIDE), np.float32)
    a, b = devices.to_device(ones, device), devices.to_device(ones, device)
    product, copy = measure(lambda: a @ b, device), measure(x.copy, device)
    return Ceilings(2 * SIDE**3 / product.shortest, 2 * COPIED / copy.shortest)
