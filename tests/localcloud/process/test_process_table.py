"""What the operating system says of processes."""

import os
import subprocess
import sys
from pathlib import Path

from localcloud.process.process_table import started_with
from tests.waiting import wait_until


def test_a_process_is_found_by_its_environment_while_it_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "SOME_FILE": str(tmp_path / "file")}
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment)
    try:
        # Popen returns once exec has closed its pipe; the kernel publishes the new environment a moment later.
        (found,) = wait_until(lambda: started_with(str(tmp_path)))
        assert found.startswith(f"{process.pid} ")
        assert found.endswith("input()")
    finally:
        process.communicate(b"\n")
    assert started_with(str(tmp_path)) == []
