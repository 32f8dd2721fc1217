"""Starts and ends the processes of `mirror.worker`, which are forked from one parent."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PACKAGES = Path(__file__).resolve().parents[2]
# A worker whose input has ended takes milliseconds, unless it is stopped or waits for memory.
_GRACE_SECONDS = 2.0


class Workers:
    """Several workers, and the parent that they are forked from, which has imported their modules."""

    def __init__(self, count: int) -> None:
        channels = [socket.socketpair() for _ in range(count)]
        theirs = [their.fileno() for _, their in channels]
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "vertex_vllm.mirror.worker", *map(str, theirs)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": _import_path()},
            pass_fds=theirs,
            # Ctrl-C must reach only this process; the workers end when their input does.
            start_new_session=True,
        )
        self.group = self._parent.pid
        """The process group of the workers alone."""
        for _, their in channels:
            their.close()
        self.all = tuple(Worker(self, number, ours) for number, (ours, _) in enumerate(channels))
        self._exit_codes: dict[int, int] = {}
        self._lock = threading.Lock()

    def kill(self) -> None:
        """Ends every worker at once: by closing its input, or else by force."""
        for worker in self.all:
            worker.end_input()
        try:
            self._parent.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.group, signal.SIGKILL)

    def exit_code(self, number: int) -> int:
        """Exit code of a worker that has ended; negative: the signal that killed it."""
        assert self._parent.stdout is not None
        with self._lock:
            while number not in self._exit_codes and (line := self._parent.stdout.readline()):
                told = json.loads(line)
                self._exit_codes[told["worker"]] = told["exit_code"]
            if number in self._exit_codes:
                return self._exit_codes[number]
            # The parent was killed, and with it the workers that it had not forked yet.
            return self._parent.wait()

    def close(self) -> None:
        """Closes the input of all workers, and waits until they have ended."""
        for worker in self.all:
            worker.close()
        self._parent.wait()
        assert self._parent.stdout is not None
        self._parent.stdout.close()


class Worker:
    """A worker process. Use it from one thread."""

    def __init__(self, workers: Workers, number: int, channel: socket.socket) -> None:
        self._workers, self._number, self._channel = workers, number, channel
        self._lines = channel.makefile("r", encoding="utf-8")

    def say(self, line: str) -> None:
        """Writes one line of its input. Ignored if the worker has ended, which `lines` reports."""
        with suppress(OSError):
            self._channel.sendall(f"{line}\n".encode())

    def lines(self) -> Iterator[str]:
        """Its output, until it has ended."""
        with suppress(ConnectionError):  # The worker was killed before it had read all of its input.
            yield from self._lines

    def end_input(self) -> None:
        """Asks the worker to end, by closing its input."""
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)

    def exit_code(self) -> int:
        """Exit code, once it has ended; negative: the signal that killed it."""
        return self._workers.exit_code(self._number)

    def close(self) -> None:
        self.end_input()
        self._lines.close()
        self._channel.close()


def _import_path() -> str:
    """Environment with which the other processes import this project from the same folder."""
    return os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH", ""))))
