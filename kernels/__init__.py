"""Every operation: one folder per family, one file per kernel (installed as gpuconv.kernels)."""
