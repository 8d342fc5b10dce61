"""Copies, sums and zeros: what layers and graphs need to touch values on any device."""
