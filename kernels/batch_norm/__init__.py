"""Batch normalisation, training and inference, with gradients: references, cases and kernels."""
