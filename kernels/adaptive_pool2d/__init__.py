"""Adaptive average pooling and its gradient: references, cases and kernels."""
