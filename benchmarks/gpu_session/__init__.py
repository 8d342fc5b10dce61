"""One command that spends minutes on a GPU well: ``python -m gpuconv.benchmarks.gpu_session``."""
