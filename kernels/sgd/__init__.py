"""Stochastic gradient descent over flat arrays."""
