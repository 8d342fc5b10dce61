"""Leaky ReLU with a slope that is learned, and its gradients."""
