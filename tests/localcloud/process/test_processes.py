"""Children: none is left, whichever process ends first."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.process import process_table
from localcloud.process.processes import Processes, end_orphans
from tests.waiting import PATIENCE_SECONDS, wait_until

# Leads a group with a child of its own that would run for an hour.
_PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
print(child.pid, flush=True)
{rest}
"""
_STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path / "children")
    yield made
    made.stop_all(0.0)


def _spawn(processes: Processes, code: str, log: Path, **options: object) -> object:
    return processes.spawn([sys.executable, "-c", code], log=log, environment=dict(os.environ), **options)


def _first_line(log: Path) -> str:
    wait_until(lambda: log.exists() and "\n" in log.read_text())
    return log.read_text().split("\n")[0]


def test_output_and_return_code_are_kept(processes: Processes, tmp_path: Path) -> None:
    codes: list[int] = []
    done = threading.Event()

    def on_exit(code: int) -> None:
        codes.append(code)
        done.set()

    child = _spawn(processes, "print('said'); raise SystemExit(7)", tmp_path / "log", on_exit=on_exit)
    assert child.wait(PATIENCE_SECONDS) == 7
    assert done.wait(PATIENCE_SECONDS)
    assert codes == [7]
    assert (tmp_path / "log").read_text() == "said\n"
    assert list((tmp_path / "children").iterdir()) == []


@pytest.mark.parametrize("rest", ["time.sleep(3600)", _STUBBORN])
def test_stop_ends_the_whole_group(processes: Processes, tmp_path: Path, rest: str) -> None:
    child = _spawn(processes, _PARENT.format(rest=rest), tmp_path / "log")
    grandchild = int(_first_line(tmp_path / "log"))
    assert child.stop(0.5) < 0
    assert process_table.group_members(child.pid) == []
    assert process_table.start_time(grandchild) is None


def test_what_a_leader_leaves_ends_with_it(processes: Processes, tmp_path: Path) -> None:
    child = _spawn(processes, _PARENT.format(rest=""), tmp_path / "log")
    assert child.wait(PATIENCE_SECONDS) == 0
    assert process_table.start_time(int(_first_line(tmp_path / "log"))) is None


def test_the_environment_is_exactly_what_was_given(processes: Processes, tmp_path: Path) -> None:
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    child = processes.spawn([sys.executable, "-c", code], log=tmp_path / "log", environment={"ONLY": "this"})
    assert child.wait(PATIENCE_SECONDS) == 0
    seen = json.loads((tmp_path / "log").read_text())
    seen.pop("LC_CTYPE", None)  # set by Python itself (PEP 538)
    assert seen == {"ONLY": "this"}


def test_nothing_is_started_once_all_are_stopped(processes: Processes, tmp_path: Path) -> None:
    child = _spawn(processes, "import time; time.sleep(3600)", tmp_path / "log")
    processes.stop_all()
    assert child.returncode == -signal.SIGTERM
    with pytest.raises(RuntimeError):
        _spawn(processes, "pass", tmp_path / "log")


_DAEMON = """
import os, sys
from pathlib import Path
from tests.waiting import PATIENCE_SECONDS, wait_until
from localcloud.process.processes import Processes
processes = Processes(Path(sys.argv[1]) / "children")
log = Path(sys.argv[1]) / "log"
child = processes.spawn([sys.executable, "-c", sys.argv[2]], log=log, environment=dict(os.environ))
print(child.pid, flush=True)
child.wait()
"""
_LISTENING = """
import threading
from tests.waiting import PATIENCE_SECONDS, wait_until
from localcloud.process.processes import watch_lifeline
ended = threading.Event()
watch_lifeline(ended.set)
print("ready", flush=True)
ended.wait()
"""
_DEAF = "import time; print('ready', flush=True); time.sleep(3600)"


def _kill_a_daemon_with(code: str, directory: Path) -> int:
    """The pid of the child that the killed daemon left."""
    daemon = subprocess.Popen([sys.executable, "-c", _DAEMON, str(directory), code], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    child = int(daemon.stdout.readline())
    _first_line(directory / "log")
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()
    return child


def test_a_child_sees_its_lifeline_cut_when_the_daemon_is_killed(tmp_path: Path) -> None:
    child = _kill_a_daemon_with(_LISTENING, tmp_path)
    end_orphans(tmp_path / "children", grace_seconds=PATIENCE_SECONDS)
    assert process_table.start_time(child) is None


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = _kill_a_daemon_with(_DEAF, tmp_path)
    assert process_table.start_time(child) is not None
    end_orphans(tmp_path / "children", grace_seconds=0.2)
    assert process_table.start_time(child) is None
    assert list((tmp_path / "children").iterdir()) == []


def test_a_stranger_with_a_recorded_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    try:
        record = tmp_path / f"{stranger.pid}.json"
        record.write_text(json.dumps({"pid": stranger.pid, "start_time": "another boot:1"}))
        end_orphans(tmp_path, grace_seconds=0.0)
        assert stranger.poll() is None
        assert not record.exists()
    finally:
        stranger.kill()
        stranger.wait()
