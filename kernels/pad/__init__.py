"""A border of one value around an array, and its gradient: the border cut off."""
