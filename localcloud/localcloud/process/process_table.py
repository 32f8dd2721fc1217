"""The operating system's processes: a pid alone may name another process later, and a zombie does not run."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied)
_ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


def start_time(pid: int) -> str | None:
    """A mark that, with the pid, identifies one process for ever; None when no such process runs.

    On Linux it is the boot's id and the time since boot, because the time of day changes when the clock is set.
    """
    try:
        process = psutil.Process(pid)
        if process.status() in _ENDED:
            return None
        if not psutil.LINUX:
            return repr(process.create_time())
        return f"{_BOOT_ID.read_text().strip()}:{process.create_time() - psutil.boot_time():.2f}"
    except _GONE:
        return None


def group_members(group: int) -> list[int]:
    """The running processes of a process group."""
    members = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) == group and start_time(pid) is not None:
                members.append(pid)
    return members


def started_with(text: str) -> list[str]:
    """`PID COMMAND` of every running process that was started with `text` somewhere in its environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(*_GONE):
            if any(text in f"{name}={value}" for name, value in process.environ().items()):
                found.append(f"{process.pid} {' '.join(process.cmdline()).strip()}")
    return found
