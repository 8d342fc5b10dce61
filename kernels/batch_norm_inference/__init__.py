"""Batch normalisation with running statistics, and its gradient: references, cases and kernels."""
