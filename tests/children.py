"""Processes that the local cloud and its runners have started, by the records that are kept of them while they run."""

import json
from contextlib import suppress
from pathlib import Path


def leaders(folder: Path) -> set[int]:
    """Process ids, each of which leads a group, of the records in a folder."""
    found = set()
    for record in folder.glob("*.json"):
        with suppress(FileNotFoundError, json.JSONDecodeError):  # Ended, or being written.
            found.add(int(json.loads(record.read_text())["pid"]))
    return found


def runners(state_dir: Path) -> set[int]:
    """The runners of pipelines: those children of a local cloud that another child, a fork server, has forked."""
    children = leaders(state_dir / "run" / "children")
    return {pid for pid in children if _parent(pid) in children}


def steps(state_dir: Path) -> set[int]:
    """The steps that run now, of all its pipelines."""
    return {pid for folder in state_dir.glob("pipelines/*/processes") for pid in leaders(folder)}


def _parent(pid: int) -> int:
    """The parent's process id; 0 when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The second field is the command in parentheses; the fourth is the parent (proc(5)).
    return int(text.rpartition(")")[2].split()[1])
