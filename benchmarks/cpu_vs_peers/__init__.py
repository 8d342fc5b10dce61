"""The CPU path against PyTorch and onnxruntime: whole nets, and their layers pass by pass."""
