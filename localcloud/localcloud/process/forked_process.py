"""A client's handle of a forked process, which it can wait for although the process is not its child."""

import json
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from localcloud.process.fork_server import LENGTH_BYTES, address

# Seconds until the server listens, which a busy machine delays.
_START_SECONDS = 60.0
_POLL_SECONDS = 0.02


class ForkedProcess:
    """The part of `subprocess.Popen` that the local cloud needs."""

    def __init__(self, connection: socket.socket, pid: int, stdin: IO[bytes] | None) -> None:
        self.pid = pid
        self.stdin = stdin
        self.returncode: int | None = None
        """None until a call of `wait` has returned; minus the signal's number when a signal ended the process."""
        self._connection = connection
        self._end: int | None = None

    def wait_for_end(self) -> int:
        """Waits for the end of the process; its id is not reused until `wait` is called."""
        if self._end is None:
            answer = _read_line(self._connection)
            if "returncode" in answer:
                self._end = int(answer["returncode"])
            else:  # The server is gone, and with it the exit code, as when a container's host fails.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
                self._end = -signal.SIGKILL
        return self._end

    def wait(self) -> int:
        self.returncode = self.wait_for_end()
        self._connection.close()
        return self.returncode


def fork(
    server: Path,
    module: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    output: int,
    lifeline: bool = False,
) -> ForkedProcess:
    """`python -m module arguments…` as a fork of the server at that socket, leading a process group of its own.

    `output`: the descriptor of its standard output and error. `lifeline`: its standard input is a pipe; otherwise it
    is empty. Returns when the process runs; raises OSError when it cannot be started.
    """
    request = {
        "module": module,
        "arguments": list(arguments),
        "environment": dict(environment),
        "directory": str(directory),
    }
    body = json.dumps(request).encode()
    reading, writing = os.pipe() if lifeline else (os.open(os.devnull, os.O_RDONLY), None)
    connection = socket.socket(socket.AF_UNIX)
    try:
        _connect(connection, server)
        socket.send_fds(connection, [len(body).to_bytes(LENGTH_BYTES)], [reading, output])
        connection.sendall(body)
        answer = _read_line(connection)
        if "pid" not in answer:
            raise OSError(str(answer.get("error", f"the fork server at {server} ended")))
    except BaseException:
        connection.close()
        if writing is not None:
            os.close(writing)
        raise
    finally:
        os.close(reading)
    return ForkedProcess(connection, int(answer["pid"]), None if writing is None else os.fdopen(writing, "wb"))


def _connect(connection: socket.socket, server: Path) -> None:
    """Connects to the server, and waits for one that was just started and still imports its modules."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with address(server) as name:
                connection.connect(name)
            return
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _read_line(connection: socket.socket) -> dict[str, Any]:
    """A line of JSON; empty when the server has ended."""
    line = b""
    while not line.endswith(b"\n"):
        try:
            byte = connection.recv(1)
        except ConnectionError:
            return {}
        if not byte:
            return {}
        line += byte
    answer: dict[str, Any] = json.loads(line)
    return answer
