"""A fork server of steps, as a local cloud has one, for tests that run steps without a local cloud."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.processes import Processes


@dataclass
class Server:
    socket: Path
    processes: Processes
    pid: int


@contextmanager
def running_fork_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        processes = Processes(Path(folder) / "children")
        socket = Path(folder) / "steps.socket"
        argv = [sys.executable, "-P", "-m", "localcloud.warm.server", "--socket", str(socket)]
        environment = {**os.environ, "_KFP_RUNTIME": "true", "HOME": "/nowhere"}
        child = processes.spawn(
            [*argv, "--import", "kfp.dsl.executor"], log=Path(folder) / "log", environment=environment
        )
        yield Server(socket, processes, child.pid)
        processes.stop_all(1.0)
