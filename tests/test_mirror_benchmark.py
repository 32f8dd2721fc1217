"""The mirror's benchmark as a program, on a small model and without the peers: its figures are not tested."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mirroring.measuring import with_descendants
from tests.waiting import PATIENCE_SECONDS, wait_until, wait_until_gone

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]


def start(temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.mirror", "--files", "2", *arguments]
    # Not the tests' environment, whose variables send clients to the local cloud.
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "HOME": str(temporary)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_table_for_each_network_and_a_second_run_that_sends_nothing(tmp_path: Path) -> None:
    small = ("--megabytes", "8", "--repetitions", "1", "--variants", "SHA-256 alone")
    with start(tmp_path, *small) as benchmark:
        printed, errors = benchmark.communicate()
    assert benchmark.returncode == 0, errors
    rows = [line.split(" | ")[0] for line in printed.splitlines() if line.startswith(("#", "| ours", "| SHA"))]
    assert rows == [
        "### Plain HTTP",
        "| ours",
        "| SHA-256 alone",
        "### TLS at both ends",
        "| ours",
        "### 50 ms before each answer, 10 MB/s for each connection, 0.0 GB",
        "| ours",
    ]
    assert "- Second run: 0 bytes sent." in printed
    assert list(tmp_path.iterdir()) == []


def test_broken_off_it_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    with start(tmp_path, "--networks", "plain", "--variants") as benchmark:
        try:
            # Itself, the source and the sink, and the variant, which starts a parent and workers.
            wait_until(lambda: len(with_descendants([benchmark.pid])) >= 6)
            started = with_descendants([benchmark.pid])
        finally:
            benchmark.terminate()
        benchmark.communicate(timeout=PATIENCE_SECONDS)
    assert benchmark.returncode == 128 + signal.SIGTERM
    wait_until_gone(started)
    assert list(tmp_path.iterdir()) == []
