"""Runs pip, and reports its progress in a line now and then."""

import os
import queue
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from localcloud.core.pip_variables import variables_for_pip

# Seconds without a line from pip, which is silent while it downloads many small packages and while it unpacks.
_QUIET_SECONDS = 10.0
_LARGE_MEGABYTES = 10.0
_LINES_KEPT = 20
# "Downloading torch-2.13.0-cp311-cp311-linux_x86_64.whl (191.8 MB)", also "Using cached …"
_DOWNLOAD = re.compile(r"\s*(?:Downloading|Using cached) (?P<file>\S+) \((?P<size>[\d.]+) (?P<unit>kB|MB|GB)\)")
_MEGABYTES = {"kB": 0.001, "MB": 1.0, "GB": 1000.0}


class PipError(Exception):
    """pip failed; the text ends with its last lines."""


class Progress:
    """Turns pip's output into lines for people."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._started = time.monotonic()
        self._step = "starting pip"
        self._packages = 0
        self._megabytes = 0.0

    def line(self, text: str) -> None:
        if found := _DOWNLOAD.match(text):
            megabytes = float(found["size"]) * _MEGABYTES[found["unit"]]
            self._packages += 1
            self._megabytes += megabytes
            self._step = "downloading"
            if megabytes >= _LARGE_MEGABYTES:
                self._tell(f"{found['file'].split('-')[0]}, {megabytes:.0f} MB")
        elif text.startswith("Installing collected packages"):
            self._packages = text.count(",") + 1
            self._step = "unpacking"
            self.still_running()

    def still_running(self) -> None:
        packages = "1 package" if self._packages == 1 else f"{self._packages} packages"
        self._tell(f"{self._step} {packages}, {self._megabytes:.0f} MB downloaded")

    def _tell(self, what: str) -> None:
        self._report(f"  {time.monotonic() - self._started:4.0f} s  {what}")


def run_pip(python: Path, arguments: Sequence[str], report: Callable[[str], None], *, command: str = "install") -> None:
    """`pip <command> <arguments>` with the environment that `python` belongs to.

    Raises PipError. Interrupted, it ends pip before it lets the interrupt through.
    """
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    process = subprocess.Popen(
        [str(python), "-m", "pip", command, *options, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**variables_for_pip(os.environ), "PYTHONUNBUFFERED": "1"},
    )
    try:
        last_lines = _follow(process, Progress(report))
        if process.wait():
            raise PipError("Its last words:\n" + "\n".join(last_lines))
    finally:
        process.kill()
        process.wait()


def _follow(process: "subprocess.Popen[str]", progress: Progress) -> deque[str]:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    kept: deque[str] = deque(maxlen=_LINES_KEPT)
    while True:
        try:
            line = lines.get(timeout=_QUIET_SECONDS)
        except queue.Empty:
            progress.still_running()
            continue
        if line is None:
            return kept
        kept.append(line)
        progress.line(line)


def _read(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str | None]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line.rstrip())
    lines.put(None)
