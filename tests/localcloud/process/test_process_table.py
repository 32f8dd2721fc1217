"""Processes as the operating system knows them."""

import os
import subprocess
import sys
from pathlib import Path

from localcloud.process.process_table import group_members, start_time, started_with
from tests.waiting import wait_until

_TELL_OF_PARENT = """
import os
from localcloud.process.process_table import start_time
print(start_time(os.getppid()))
"""


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


def test_every_process_gives_the_same_mark_to_another() -> None:
    told = subprocess.run([sys.executable, "-c", _TELL_OF_PARENT], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == start_time(os.getpid())


def test_a_zombie_does_not_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    assert start_time(process.pid) != start_time(os.getpid())
    assert group_members(process.pid) == [process.pid]
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert (start_time(process.pid), group_members(process.pid)) == (None, [])
    process.wait()
    assert start_time(process.pid) is None
