"""Local response normalisation and its gradient: references, cases and kernels."""
