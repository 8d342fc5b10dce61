"""Round figures of a big GPU's size, by which times are predicted that nobody has measured.

They are of an H100's size, and only the order that they put kernels in matters: the same for every
architecture.
"""

LAUNCH = 4e-6  # seconds
BANDWIDTH = 2.5e12  # bytes a second
FLOPS = {"float32": 6e13, "float64": 3e13}  # a second
BUSY = 1 << 17  # threads that keep it busy
