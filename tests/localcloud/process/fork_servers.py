"""A fork server of steps, as a local cloud has one, for tests that run steps without a local cloud."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.process.processes import Processes


@dataclass
class Server:
    socket: Path
    processes: Processes
    pid: int


@contextmanager
def running_fork_server(below: str = "") -> Iterator[Server]:
    """`below`: path of the server's folder below a temporary one, which is short."""
    with tempfile.TemporaryDirectory(prefix="warm-") as temporary:
        folder = Path(temporary) / below
        folder.mkdir(parents=True, exist_ok=True)
        processes = Processes(folder / "children")
        socket = folder / "steps.socket"
        argv = [sys.executable, "-P", "-m", "localcloud.process.fork_server", "--socket", str(socket)]
        environment = {**os.environ, "_KFP_RUNTIME": "true", "HOME": "/nowhere"}
        child = processes.spawn([*argv, "--import", "kfp.dsl.executor"], log=folder / "log", environment=environment)
        yield Server(socket, processes, child.pid)
        processes.stop_all(1.0)
