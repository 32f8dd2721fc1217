"""The process that forks others: `python -P -m localcloud.process.fork_server --socket PATH --import MODULE …`.

It imports modules, opens no connection and no thread, and waits. Each connection to its socket is one child: requested
in JSON with two descriptors, answered with its process id and later its exit code. Until the client closes the
connection, the id is not reused. The server ends when its standard input and its children have ended.
"""

import argparse
import importlib
import json
import os
import select
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.process.forked_account import read_environment_again
from localcloud.process.large_imports import kept_objects
from localcloud.process.main_program import run_as_main

# Descriptors of a request: standard input, and one for standard output and error.
DESCRIPTORS = 2
LENGTH_BYTES = 4
_REQUEST_SECONDS = 10.0
# Seconds after the end of standard input in which forks end by themselves, as they lose their parent, too.
_LAST_SECONDS = 10.0
_POLL_SECONDS = 0.2
_LONGEST_PATH = 100  # bytes


@dataclass(frozen=True)
class Program:
    """The command of a child: `python -m module arguments…`."""

    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    directory: str


class Server:
    """Forks the requested children one after the other, in a single thread."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._children: dict[int, socket.socket | None] = {}
        """Process id → connection of the client; None once it has closed."""
        self._ended: dict[socket.socket, int] = {}
        """Ended children whose clients were told; kept as zombies until the client closes."""
        self._wakeup, self._waker = os.pipe()
        self._last_moment: float | None = None

    def serve(self) -> Program | None:
        """Returns in each child its program; in the server itself, at its end, None."""
        for end in (self._wakeup, self._waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        while not self._is_over():
            for ready in self._wait():
                if ready is self._listener:
                    program = self._accept()
                    if program is not None:
                        return program
                elif ready == self._wakeup:
                    with suppress(BlockingIOError):
                        os.read(self._wakeup, 4096)
                elif isinstance(ready, socket.socket):
                    self._hear(ready)
                elif not os.read(0, 4096):
                    self._last_moment = time.monotonic() + _LAST_SECONDS
            self._tell_of_ends()
        for pid in self._children:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        return None

    def _is_over(self) -> bool:
        if self._last_moment is None:
            return False
        return not self._children or time.monotonic() > self._last_moment

    def _wait(self) -> list[Any]:
        clients = [client for client in (*self._children.values(), *self._ended) if client is not None]
        waiting: list[Any] = [self._wakeup, *clients]
        if self._last_moment is None:
            waiting += [self._listener, 0]
        ready, _, _ = select.select(waiting, [], [], None if self._last_moment is None else _POLL_SECONDS)
        return ready

    def _accept(self) -> Program | None:
        client, _ = self._listener.accept()
        client.settimeout(_REQUEST_SECONDS)
        descriptors: list[int] = []
        try:
            program, descriptors = _receive(client)
            child = self._fork(program, descriptors)
        except (OSError, ValueError) as error:
            with suppress(OSError):
                _say(client, {"error": str(error)})
            client.close()
            return None
        finally:
            for descriptor in descriptors:
                with suppress(OSError):
                    os.close(descriptor)
        if child == 0:
            client.close()
            return program
        self._children[child] = client
        with suppress(OSError):  # The client may have gone; the child's end is still waited for.
            _say(client, {"pid": child})
        return None

    def _fork(self, program: Program, descriptors: Sequence[int]) -> int:
        """The child's pid, once it leads its process group. Raises OSError if it could not start the program."""
        told, telling = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            try:
                self._become(program, descriptors)
            except OSError as error:
                os.write(telling, str(error).encode())
                os._exit(127)
            os.close(telling)
            return 0
        os.close(telling)
        with os.fdopen(told, "rb") as pipe:
            refusal = pipe.read().decode()
        if refusal:
            os.waitpid(child, 0)
            raise OSError(refusal)
        return child

    def _become(self, program: Program, descriptors: Sequence[int]) -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for opened in (self._listener, *self._children.values(), *self._ended):
            if opened is not None:
                opened.close()
        os.close(self._wakeup)
        os.close(self._waker)
        for number, descriptor in zip((0, 1), descriptors, strict=True):
            os.dup2(descriptor, number)
        os.dup2(1, 2)
        os.chdir(program.directory)
        os.environ.clear()
        os.environ.update(program.environment)
        tempfile.tempdir = None  # Forgets the parent's folder: TMPDIR has changed.

    def _hear(self, client: socket.socket) -> None:
        """Handles a readable client: clients send nothing after the request, so it has closed."""
        client.close()
        ended = self._ended.pop(client, None)
        if ended is not None:
            os.waitpid(ended, 0)
        for pid, asker in self._children.items():
            if asker is client:
                self._children[pid] = None

    def _tell_of_ends(self) -> None:
        for pid in list(self._children):
            code = _end_of(pid)
            if code is None:
                continue
            client = self._children.pop(pid)
            if client is None:
                os.waitpid(pid, 0)
                continue
            self._ended[client] = pid
            with suppress(OSError):
                _say(client, {"returncode": code})


def _end_of(pid: int) -> int | None:
    """Exit code, read without freeing the process id; None while the process runs."""
    status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if status is None:
        return None
    return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status


def _receive(client: socket.socket) -> tuple[Program, list[int]]:
    head, descriptors, _, _ = socket.recv_fds(client, LENGTH_BYTES, DESCRIPTORS)
    length, body = int.from_bytes(head), b""
    while len(body) < length:
        piece = client.recv(length - len(body))
        if not piece:
            raise OSError("the request is incomplete")
        body += piece
    fields = json.loads(body)
    return Program(**{**fields, "arguments": tuple(fields["arguments"])}), list(descriptors)


def _say(client: socket.socket, fields: dict[str, Any]) -> None:
    client.sendall(json.dumps(fields).encode() + b"\n")


@contextmanager
def address(path: Path) -> Iterator[str]:
    """A path of the socket that is short enough for a socket's address (unix(7): some 100 bytes), in any folder.

    Raises OSError for a long path on systems without /proc.
    """
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _import(names: Sequence[str], imported: Callable[[str], object] = importlib.import_module) -> None:
    with kept_objects():  # Their memory stays shared with every child as long as it is not written to.
        for name in names:
            imported(name)
    if threading.active_count() > 1:
        others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        raise RuntimeError(f"an import started threads, which forks would lack: {', '.join(others)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m localcloud.process.fork_server")
    parser.add_argument("--socket", required=True, type=Path)
    parser.add_argument("--import", dest="imports", action="append", default=[], metavar="MODULE")
    arguments = parser.parse_args()
    arguments.socket.unlink(missing_ok=True)
    # A child's connection may outlive it in its own children: they inherit no descriptor of the server.
    with socket.socket(socket.AF_UNIX) as listener:
        with address(arguments.socket) as name:
            listener.bind(name)
        listener.listen(64)
        _import(arguments.imports)
        program = Server(listener).serve()
    if program is not None:
        read_environment_again()
        run_as_main(program.module, program.arguments)


if __name__ == "__main__":
    main()
