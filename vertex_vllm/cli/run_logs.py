"""`vertex-vllm runs logs`: the lines that a run's steps wrote, once or as they are written."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from vertex_vllm.cli.local_logs import LocalLogs
from vertex_vllm.cli.local_shell import local_state_of_shell

if TYPE_CHECKING:
    from vertex_vllm.runs.engine import Run

Source = Callable[[bool], Iterator[tuple[str, str]]]
"""(step, line) of what is new; True: the run has ended, so that the last line counts without its line break."""

_PAUSE_SECONDS = {"local": 0.5, "google": 5.0}


def shown_lines(look: Callable[[], "Run"], project: str, step: str, *, follow: bool) -> Iterator[str]:
    """Log lines, each after its step's name. `look` reads the run; `follow` continues until the run has ended.

    In a shell of a local cloud, whose steps have no entries in Cloud Logging, the lines come from the files of its
    state folder. Raises ServiceError for a refusal of Cloud Logging.
    """
    from vertex_vllm.runs.engine import ENDED

    run = look()
    state = local_state_of_shell()
    local = LocalLogs(state, run.name.rpartition("/")[2], step) if state else None
    entries = _CloudLog(look, project, step)
    while True:
        ended = run.state in ENDED
        found = local.lines(whole=ended) if local else entries.lines()
        for named, line in found:
            yield f"{named or 'run'}: {line}"
        if ended or not follow:
            return
        time.sleep(_PAUSE_SECONDS["local" if local else "google"])
        run = look()


class _CloudLog:
    """Reads entries from the time of the last one on, and leaves out those already shown."""

    def __init__(self, look: Callable[[], "Run"], project: str, step: str) -> None:
        self._look, self._project, self._step = look, project, step
        self._since: datetime | None = None
        self._shown: set[str] = set()

    def lines(self) -> Iterator[tuple[str, str]]:
        from vertex_vllm.runs.run_log import read_log

        shown = set(self._shown)
        for line in read_log(self._look(), self._project, self._step, self._since):
            if line.entry in shown:
                continue
            self._shown.add(line.entry)
            self._since = line.at or self._since
            yield line.step, line.text
