"""Convolution and its two gradients: references, cases and kernels."""
