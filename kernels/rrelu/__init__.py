"""Leaky ReLU with a random slope for every element, as in training, and its gradient."""
