"""Clamping between two bounds, as in ReLU6, and its gradient."""
