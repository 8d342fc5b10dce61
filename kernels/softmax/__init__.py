"""Softmax and log-softmax along axis 1, and their gradients."""
