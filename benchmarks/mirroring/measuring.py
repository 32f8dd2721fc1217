"""Time, processor time, memory and disk of a program and its children."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Measured:
    seconds: float
    cpu_seconds: float
    """User and system seconds of the program and of all children that it waited for."""
    peak_rss_bytes: int
    """Peak of the sum of all processes' resident memory, in bytes; shared memory counts in each process."""
    largest_rss_bytes: int
    """Peak memory of a single process since it started its program, by the kernel's count, in bytes.

    `ru_maxrss` does not serve: it includes the process before its exec, a copy of this process.
    """
    disk_bytes: int
    """Peak size of the program's folder, in bytes."""
    output: str
    """The end of its output, if it failed."""

    @property
    def failed(self) -> bool:
        return bool(self.output)


def measure(commands: Sequence[Sequence[str]], environment: Mapping[str, str], folder: Path) -> Measured:
    """Runs the programs side by side in `folder`. If interrupted, ends them and all processes that they started."""
    begun = time.monotonic()
    log = folder.with_suffix(".log")
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with log.open("wb") as out:
            for command in commands:
                processes.append(subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=out, stderr=out))
        sampler = _Sampler([process.pid for process in processes], folder)
        sampler.start()
        cpu, failed = 0.0, False
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            failed |= process.returncode != 0
            cpu += usage.ru_utime + usage.ru_stime
    except BaseException:
        _kill([process for process in processes if process.returncode is None])
        raise
    seconds = time.monotonic() - begun
    sampler.stop()
    output = (log.read_text(errors="replace")[-2000:] or "no output") if failed else ""
    log.unlink()
    return Measured(seconds, cpu, sampler.peak_rss, sampler.largest_rss, sampler.peak_disk, output)


def _kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for pid in with_descendants([process.pid for process in processes]):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in processes:
        process.wait()


class _Sampler(threading.Thread):
    """Measures every 50 ms; its own processor time counts for the benchmark, not for the program."""

    def __init__(self, pids: Sequence[int], folder: Path) -> None:
        super().__init__(daemon=True)
        self._pids, self._folder = pids, folder
        self._ended = threading.Event()
        self.peak_rss = self.largest_rss = self.peak_disk = 0

    def run(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            processes = with_descendants(self._pids)
            self.peak_rss = max(self.peak_rss, sum(map(_rss, processes)))
            self.largest_rss = max(self.largest_rss, *map(_highest_rss, processes))
            self.peak_disk = max(self.peak_disk, _size(self._folder))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def with_descendants(pids: Sequence[int]) -> list[int]:
    """The processes and all that they started, each after its parent."""
    found, left = [], list(pids)
    while left:
        pid = left.pop()
        found.append(pid)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                left += map(int, children.read_text().split())
            except OSError:
                continue
    return found


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _highest_rss(pid: int) -> int:
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total
