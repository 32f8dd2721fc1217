"""Steps of a load that an earlier attempt finished: a killed load continues with the first missing step."""

from dataclasses import dataclass
from typing import Protocol

from vertex_vllm.load.samples import Run


@dataclass(frozen=True)
class Step:
    """A load at one rate, finished."""

    number: int
    """The load's seed, which grows by 1 with each step."""
    rate: float
    """Requests per second; 0: the closed loop."""
    started_at: str
    """UTC, ISO 8601."""
    seconds: float
    """From the step's first preparation to its last answer: counted against the load's time limit."""
    run: Run


class KeptSteps(Protocol):
    def found(self, number: int, rate: float) -> Step | None:
        """The step of an earlier attempt; None: measure it."""

    def keep(self, step: Step) -> None:
        """Keeps a finished step for a later attempt."""


class NoSteps:
    """Keeps nothing."""

    def found(self, number: int, rate: float) -> Step | None:
        return None

    def keep(self, step: Step) -> None:
        pass
