"""Leaky ReLU, ELU, sigmoid and tanh, and their gradients."""
