"""The logs that a local cloud keeps of a run's steps, as files in its state folder."""

from collections.abc import Iterator
from pathlib import Path


class LocalLogs:
    """Reads what has been added since the last read; `STATE/logs/pipelines/RUN/STEP.log`."""

    def __init__(self, state: Path, run_id: str, step: str = "") -> None:
        self._folder = state / "logs" / "pipelines" / run_id
        self._step = step
        self._read: dict[Path, int] = {}

    @property
    def folder(self) -> Path:
        """Holds one file a step."""
        return self._folder

    def lines(self, *, whole: bool) -> Iterator[tuple[str, str]]:
        """(step, line), file by file. An unfinished last line is left for later, unless `whole`."""
        for file in sorted(self._folder.glob("*.log")):
            # A step within a group has the group's name in front: `exit-handler-1.deploy-model`.
            name = file.stem.rpartition(".")[2]
            if self._step and name != self._step:
                continue
            data = file.read_bytes()[self._read.get(file, 0) :]
            end = len(data) if whole else data.rfind(b"\n") + 1
            self._read[file] = self._read.get(file, 0) + end
            for line in data[:end].decode("utf-8", "replace").splitlines():
                yield name, line
