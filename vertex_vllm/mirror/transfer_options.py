"""Options of a mirror's transfer: processes, ranges, patience; and the memory that follows from them."""

import os
from dataclasses import dataclass
from math import ceil

from vertex_vllm.mirror.multipart import MOST_PARTS

# Bytes. Large enough that the cost of a request and the wait for its answer do not matter.
PART_BYTES = 24 << 20


@dataclass(frozen=True)
class Transfer:
    """The options; the defaults fit a pipeline's worker and a model of any size."""

    processes: int = 0
    """Processes that copy large files, one file at a time each. 0: as many as there are processors."""
    connections: int = 8
    """Ranges of its file that each process reads at once, at most, and sends as it reads."""
    part_bytes: int = PART_BYTES
    stall_seconds: float = 30.0
    """Seconds without a byte, after which a connection is replaced."""
    patience_seconds: float = 600.0
    """Seconds of trying one request, after which the mirror fails; another run resumes it."""
    journal_seconds: float = 5.0
    """Seconds between two writes of a journal."""
    transport: str = "http"
    """`http`: ranges of each file; `xet`: the Hub's chunk store, and ranges when it stalls or a file is not in it."""

    @property
    def buffer_bytes(self) -> int:
        """Memory of each process for parts under way: as many as are read, and one that still waits for its answer
        or for the hash. On top of it comes the interpreter, some 55 MB."""
        return (self.connections + 1) * self.part_bytes

    def part_length(self, size: int) -> int:
        """Bytes of each part but the last of a file of `size` bytes."""
        return max(self.part_bytes, ceil(size / MOST_PARTS))

    def worker_count(self, files: int) -> int:
        return max(1, min(files, self.processes or _processors()))


def _processors() -> int:
    """Number of processors that this process may use: a container may have fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
