"""Where one run of a pipeline keeps what it needs while it runs; nothing of it is worth keeping afterwards."""

import shlex
import sys
from pathlib import Path

# What components call their interpreter: for all of them it is the daemon's own, with everything that it can import.
_INTERPRETERS = ("python3", "python")


class RunDirectory:
    """Names every path; `create()` makes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.job = root / "job.json"
        self.events = root / "events.jsonl"
        self.cancel = root / "cancel"
        self.processes = root / "processes"
        self.outputs = root / "outputs"
        self.scratch = root / "scratch"
        self.workspace = root / "workspace"
        self.programs = root / "bin"
        self.home = root / "home"
        self.temporary = root / "tmp"

    def create(self) -> None:
        """Raises FileExistsError when it is there already."""
        self.root.mkdir(parents=True, mode=0o700)
        for path in (
            self.processes,
            self.outputs,
            self.scratch,
            self.workspace,
            self.programs,
            self.home,
            self.temporary,
        ):
            path.mkdir()
        for name in _INTERPRETERS:
            program = self.programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
            program.chmod(0o755)
