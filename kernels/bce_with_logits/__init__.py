"""Binary cross-entropy of logits, sigmoid and logarithm in one, and its gradient."""
