"""Max and average pooling with their gradients: references, cases and kernels."""
