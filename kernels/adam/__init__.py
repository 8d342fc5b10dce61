"""Adam and AdamW over flat arrays."""
