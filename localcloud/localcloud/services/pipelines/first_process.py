"""SIGTERM to the first process of a container: Kubernetes sends it to no other process.

The kernel drops a signal that the first process of a PID namespace has no handler for (pid_namespaces(7)): a shell as
first process does not get it, nor do its children (tried with dash in a PID namespace; kubeflow/pipelines#7902). An
init such as tini, as first process, passes the signal to its child, for which the kernel's rule does not hold.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from localcloud.services.pipelines.image_init import without_init


def has_init(command: Sequence[str]) -> bool:
    """Whether the command begins with its image's init."""
    return without_init(command) != list(command)


def terminate(pid: int, *, has_init: bool) -> None:
    """Sends SIGTERM as a container gets it. `pid`: the first process or, with `has_init`, the child of the init."""
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses to signal a zombie
        if has_init or _handles(pid, signal.SIGTERM):
            os.kill(pid, signal.SIGTERM)


def _handles(pid: int, number: signal.Signals) -> bool:
    """Whether the process handles the signal itself. True where /proc does not tell (macOS)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return True
    caught = next((line.partition(":")[2] for line in lines if line.startswith("SigCgt:")), "")
    return bool(int(caught or "0", 16) >> (number - 1) & 1)
