"""Gradient clipping by norm and by value, over a flat array."""
