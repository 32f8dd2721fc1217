"""A state folder that its daemon writes to while a command checks the folder's owner."""

import threading
from pathlib import Path

import pytest

from localcloud.core.state_directory import ForeignStateError, StateDirectory


def test_files_that_come_and_go_are_no_reason_to_refuse_a_folder(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.create()
    ended = threading.Event()

    def write() -> None:
        for _ in range(3000):
            for name in ("secrets.db-journal", "store.db-journal"):
                (state.root / name).touch()
                (state.root / name).unlink()
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not ended.is_set():
            state.require_own()
    finally:
        writer.join()


def test_a_link_is_refused(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.create()
    (state.root / "store.db").symlink_to("/etc/hostname")
    with pytest.raises(ForeignStateError, match=r"store\.db is a symbolic link"):
        state.require_own()
