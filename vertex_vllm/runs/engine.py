"""The protocol of an engine that runs pipelines, and a run as every engine returns it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vertex_vllm.polling import poll_until
from vertex_vllm.runs.submission import Submission

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
AWAY_SECONDS = 600.0
"""Seconds that `watch` waits for a service that does not answer."""


@dataclass(frozen=True)
class Artifact:
    """An artifact that a step put out."""

    uri: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A task of a run, as it is now."""

    name: str
    state: str
    """PENDING, RUNNING, SUCCEEDED, SKIPPED, FAILED, CANCELLING, CANCELLED or NOT_TRIGGERED."""
    started: datetime | None
    ended: datetime | None
    error: str
    outputs: dict[str, tuple[Artifact, ...]]
    jobs: tuple[str, ...] = ()
    """Custom jobs that ran the step, by resource name: failed attempts first, the attempt that counts last."""


@dataclass(frozen=True)
class Run:
    """A pipeline job as it is now."""

    name: str
    """Resource name of the job."""
    state: str
    """QUEUED, PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLING, CANCELLED or PAUSED."""
    error: str
    """Empty: none."""
    steps: tuple[Step, ...]

    def output(self, step: str, artifact: str) -> Artifact | None:
        """The step's first artifact of that name; None if the step did not run."""
        for candidate in self.steps:
            if candidate.name == step and candidate.outputs.get(artifact):
                return candidate.outputs[artifact][0]
        return None


class Engine(Protocol):
    """A service that runs pipelines. `name` is the run's name as `submit` returned it."""

    @property
    def uses_pipeline_account(self) -> bool:
        """Whether steps run as `Submission.service_account`, so that a project must be ready for it."""

    def submit(self, submission: Submission) -> str:
        """Starts the run and returns its name. Raises ServiceError, and InputError for an image without digest."""

    def read(self, name: str) -> Run:
        """The run as it is now. Raises InputError if there is none of that name, ServiceError."""

    def watch(self, name: str, on_change: Callable[[Run], None]) -> Run:
        """Reads the run until it has ended, passes each reading to `on_change`, and returns the last.

        Waits up to ten minutes for a service that does not answer. Raises as `read`.
        """

    def cancel(self, name: str) -> None:
        """Requests the cancellation of the run and returns at once. Raises as `read`."""

    def address(self, name: str) -> str:
        """URL of the run's page."""

    def command(self, name: str) -> str:
        """Shell command that prints the run."""


def until_ended(read: Callable[[], Run], on_change: Callable[[Run], None]) -> Run:
    """Calls `read`, with growing pauses, until the run has ended; passes each reading to `on_change`."""

    def look() -> Run:
        run = read()
        on_change(run)
        return run

    return poll_until(lambda run: run.state in ENDED, look)
