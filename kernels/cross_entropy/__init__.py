"""Softmax and negative log-likelihood in one, and the gradient."""
