"""ReLU and its gradient."""
