"""Fully connected layers and their two gradients."""
