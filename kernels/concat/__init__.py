"""Joining arrays along an axis, one part a call, and cutting the parts out again."""
