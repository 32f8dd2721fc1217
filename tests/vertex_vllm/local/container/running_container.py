"""A container as the daemon runs it: its own process group, and a pipe as stdin that the parent keeps open."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from localcloud.process import process_table
from tests.waiting import PATIENCE_SECONDS, wait_until

OLD_IMAGE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250710_0916_RC01"


class RunningContainer:
    def __init__(self, folder: Path, *args: str) -> None:
        self.log_path = folder / "container.log"
        self.ready_file = folder / "ready"
        # A short path: the container replaces one that is too long for vLLM's sockets.
        self.temporary = Path(tempfile.mkdtemp(prefix="c-", dir="/tmp"))
        self.port = _free_port()
        options = ["--port", str(self.port), "--ready-file", str(self.ready_file), "--image", OLD_IMAGE]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vertex_vllm.local.container", *options, "--", *args],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_ready(self) -> None:
        wait_until(lambda: self.ready_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log[-3000:]

    def cut_lifeline(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def members(self) -> list[int]:
        """Process ids of the container's process group."""
        return process_table.group_members(self.process.pid)

    def wait_gone(self) -> None:
        """Returns when no process of the group runs."""
        wait_until(lambda: not self.members())


@contextlib.contextmanager
def running(folder: Path, *args: str) -> Iterator[RunningContainer]:
    container = RunningContainer(folder, *args)
    try:
        yield container
    finally:
        for pid in container.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        container.process.wait()
        if container.process.stdin is not None:
            container.process.stdin.close()
        shutil.rmtree(container.temporary)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
