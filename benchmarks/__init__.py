"""Measurements of kernels and of whole nets (installed as gpuconv.benchmarks)."""
