"""Acts on a run's processes, at a moment that the case chooses: kills, signals, cancellations."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from google.api_core.exceptions import GoogleAPIError

from tests import children
from tests.chaos.place import Place
from vertex_vllm.runs.vertex_engine import VertexEngine


class Processes:
    """Processes of the one active run of a place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._before = self._runners()
        self.runner = 0

    def find_runner(self) -> None:
        """Looks up the runner that the local cloud has started since the submission."""
        self.runner = next(iter(self._runners() - self._before), 0)

    def steps(self) -> set[int]:
        """Process groups of the steps that run now."""
        return children.steps(self._place.state_dir)

    def _runners(self) -> set[int]:
        return children.runners(self._place.state_dir)


Act = Callable[[str, Processes], bool]


def _kill_step(run: str, processes: Processes) -> bool:
    return _signal(processes.steps(), signal.SIGKILL, os.killpg)


def _stop_step(run: str, processes: Processes) -> bool:
    """Sends SIGTERM as a container gets it: the init forwards it to one child, which leads the step's group."""
    return _signal(processes.steps(), signal.SIGTERM, os.kill)


def _kill_runner(run: str, processes: Processes) -> bool:
    return _signal({processes.runner} - {0}, signal.SIGKILL, os.killpg)


def _cancel(run: str, processes: Processes) -> bool:
    try:
        VertexEngine().cancel(run)
    except GoogleAPIError:  # It has ended.
        return False
    return True


ACTS: dict[str, Act] = {
    "kill step": _kill_step,
    "stop step": _stop_step,
    "kill runner": _kill_runner,
    "cancel": _cancel,
}
"""Acts by name; each returns whether it found a process to act on."""


def _signal(leaders: set[int], number: signal.Signals, send: Callable[[int, int], None]) -> bool:
    reached = False
    for leader in leaders:
        with suppress(ProcessLookupError):
            send(leader, number)
            reached = True
    return reached
