"""Mean squared error and its gradient."""
