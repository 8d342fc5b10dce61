"""How long the emulator takes for AlexNet's first convolution: ``python -m`` this module.

One image 3 x 227 x 227, 96 filters 11 x 11, stride 4, the kernel with one thread per output.
"""

import numpy as np

from gpuconv import device, emulator, ops

from .measure import in_a_row

SHAPES = (1, 3, 227, 227), (96, 3, 11, 11)


def seconds(mode: str) -> float:
    """Seconds of one call, the kernel compiled before."""
    x, w = (device.to_device(np.ones(shape, np.float32), "emulated") for shape in SHAPES)
    with emulator.options(mode=mode):
        ops.conv2d(x[:, :, :11, :11], w, stride=4)
        return in_a_row(lambda: ops.conv2d(x, w, stride=4), 1)


def main() -> None:
    """Print seconds for both modes."""
    for mode in emulator.MODES:
        print(f"AlexNet conv1, batch 1, {mode} mode: {seconds(mode):.2f} s")


if __name__ == "__main__":
    main()
