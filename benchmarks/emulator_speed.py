"""How long the emulator takes: AlexNet's first convolution, a launch, a barrier, a build.

``python -m gpuconv.benchmarks.emulator_speed`` prints one line for each mode and figure.
"""

import os
import tempfile
import time
from collections.abc import Callable

import numpy as np

from gpuconv import emulator

SOURCE = """
extern "C" __global__ void convolution(const float* x, const float* w, float* y, int channels,
                                       int size, int filters, int kernel, int stride, int out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= filters * out * out) return;
  const int k = i / (out * out), p = i / out % out, q = i % out;
  float sum = 0.0f;
  for (int c = 0; c < channels; ++c) {
    for (int r = 0; r < kernel; ++r) {
      for (int s = 0; s < kernel; ++s) {
        sum += x[(c * size + p * stride + r) * size + q * stride + s] *
               w[((k * channels + c) * kernel + r) * kernel + s];
      }
    }
  }
  y[i] = sum;
}
extern "C" __global__ void barriers(int n) {
  for (int i = 0; i < n; ++i) __syncthreads();
}
extern "C" __global__ void nothing(float* y) {}
"""
# Krizhevsky, Sutskever and Hinton 2012, the first layer: 105 million multiply-adds.
CHANNELS, SIZE, FILTERS, KERNEL, STRIDE, OUT = 3, 227, 96, 11, 4, 55


def best(run: Callable[[], object], times: int = 3) -> float:
    """The shortest of some runs, in seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def convolution(module: emulator.Module) -> float:
    """Seconds of AlexNet's first convolution, batch 1, one thread for each output."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((CHANNELS, SIZE, SIZE)).astype(np.float32)
    w = rng.standard_normal((FILTERS, CHANNELS, KERNEL, KERNEL)).astype(np.float32)
    y = np.empty((FILTERS, OUT, OUT), np.float32)
    sizes = map(np.int32, (CHANNELS, SIZE, FILTERS, KERNEL, STRIDE, OUT))
    args = (x, w, y, *sizes)
    function = module.function("convolution")
    return best(lambda: function((-(-y.size // 256),), (256,), args))


def barrier(module: emulator.Module) -> float:
    """Seconds of one thread in one barrier."""
    function = module.function("barriers")
    return best(lambda: function((1,), (256,), (np.int32(1000),))) / 256_000


def launch(module: emulator.Module) -> float:
    """Seconds of a launch of one block that does nothing."""
    function, y = module.function("nothing"), np.zeros(32, np.float32)
    return best(lambda: function((1,), (32,), (y,)), 200)


def build(mode: str) -> float:
    """Seconds until a kernel is there, from an empty cache (runtime included)."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("GPUCONV_CACHE")
        os.environ["GPUCONV_CACHE"] = folder
        try:
            return best(lambda: emulator.Module(SOURCE, mode=mode).function("nothing"), 1)
        finally:
            del os.environ["GPUCONV_CACHE"]
            if before is not None:
                os.environ["GPUCONV_CACHE"] = before


def main() -> None:
    """Print every figure for both modes."""
    print(emulator.available()[1])
    for mode in ("fast", "check"):
        module = emulator.Module(SOURCE, mode=mode)
        print(f"{mode:5}  AlexNet conv1, batch 1      {convolution(module):8.3f} s")
        print(f"{mode:5}  launch                      {launch(module) * 1e6:8.0f} us")
        print(f"{mode:5}  barrier, for each thread    {barrier(module) * 1e9:8.0f} ns")
        print(f"{mode:5}  build from an empty cache   {build(mode):8.2f} s")


if __name__ == "__main__":
    main()
