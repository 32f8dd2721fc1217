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


def children(state_dir: Path) -> set[int]:
    """What a local cloud has started itself: containers, and the runners of pipelines."""
    return leaders(state_dir / "run" / "children")


def steps(state_dir: Path) -> set[int]:
    """The steps that run now, of all its pipelines."""
    return {pid for folder in state_dir.glob("pipelines/*/processes") for pid in leaders(folder)}
