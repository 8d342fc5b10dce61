"""Dropout: a unit is zeroed or scaled up."""
