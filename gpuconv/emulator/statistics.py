"""What a launch did to memory, for each source line: requests, and how much they cost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LineStatistics:
    """One access in the source, over all blocks that ran.

    ``requests`` are accesses by a warp. ``transactions`` are 32-byte sectors (global memory) or
    passes over the 32 banks of 4 bytes (shared); ``ideal`` is the fewest possible for the bytes
    that were asked for (CUDA C++ Best Practices Guide, "Device Memory Spaces").
    """

    file: str
    line: int
    space: str  # "shared" or "global"
    kind: str  # "read" or "write"
    bytes: int  # of one lane's access
    requests: int
    transactions: int
    ideal: int

    @property
    def ratio(self) -> float:
        """Transactions over the ideal: 1 is perfect, 32 the worst conflict of 4-byte words."""
        return self.transactions / self.ideal


@dataclass(frozen=True)
class Statistics:
    """Counts of one launch; ``lines`` in order of file and line."""

    blocks: int
    barriers: int
    accesses: int
    lines: tuple[LineStatistics, ...]

    def line(self, number: int, kind: str) -> LineStatistics:
        """The only access of this kind on a line; raises LookupError otherwise."""
        found = [entry for entry in self.lines if (entry.line, entry.kind) == (number, kind)]
        if len(found) != 1:
            raise LookupError(f"line {number} has {len(found)} accesses of kind {kind!r}, not one")
        return found[0]
