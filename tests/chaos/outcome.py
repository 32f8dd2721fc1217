"""The outcome of a case as plain values, and the faults found in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.cases import Case


@dataclass(frozen=True)
class Ended:
    """A run at its end."""

    state: str
    """SUCCEEDED, FAILED or CANCELLED; another state if the suite stopped waiting."""
    errors: tuple[str, ...] = ()
    """Errors of the run and its steps."""
    handler: str = ""
    """State of the exit handler's task."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """The effects of a case, and how its run ended."""

    seed: int
    """Seed of the case: the same seed gives the same faults."""
    faulted: Ended
    """The run that met the faults."""
    struck: int
    """How many calls were struck."""
    met: tuple[int, ...]
    """Number of calls that each fault matched; empty if the local cloud crashed."""
    acted: bool
    """Whether the case's act found a process to act on."""
    promoted: bool
    """Whether a live or superseded endpoint of the run still exists at its end."""
    left_by_handler: tuple[str, ...]
    swept: bool
    left_by_sweep: tuple[str, ...]
    sweep_failures: tuple[str, ...]
    clean: Ended
    clean_promoted: bool
    left_in_the_end: tuple[str, ...]
    seconds: float
    broke: str = ""
    """Why the suite itself could not finish the case; empty if it could."""

    @property
    def happened(self) -> bool:
        return bool(self.struck) or self.acted

    @property
    def handled(self) -> bool:
        """Whether the exit handler ran to its end; otherwise a sweep removes the resources."""
        return self.faulted.handler == "SUCCEEDED"

    @property
    def kind(self) -> str:
        """Column of the summary."""
        if not self.happened:
            return "missed"
        if self.faulted.state == "SUCCEEDED":
            return "survived"
        return "cleaned by handler" if self.handled else "cleaned by sweep"


KINDS = ("survived", "cleaned by handler", "cleaned by sweep", "missed")


def problems(case: Case, outcome: Outcome) -> tuple[str, ...]:
    """Violations of the suite's rules, as sentences. Pure."""
    if outcome.broke:
        return (f"the case could not be carried out: {outcome.broke}",)
    return (*_of_the_run(case, outcome), *_of_what_is_left(outcome), *_of_the_clean_run(case, outcome))


def _of_the_run(case: Case, outcome: Outcome) -> Iterator[str]:
    run = outcome.faulted
    told = " | ".join(error for error in run.errors if error) or "nothing"
    if run.state not in ("SUCCEEDED", "FAILED", "CANCELLED"):
        yield f"the run does not end: {run.state}"
    elif run.state != "SUCCEEDED" and not outcome.happened:
        yield f"{run.state}, though nothing was done to it: {told}"
    elif run.state != "SUCCEEDED" and not case.words:
        yield f"{run.state} of what should only slow it down: {told}"
    elif run.state != "SUCCEEDED" and not any(word in told for word in case.words):
        yield f"the error names none of {', '.join(map(repr, case.words))}: {told}"
    if "Traceback" in told:
        yield f"a traceback as error: {told}"
    yield from _of_promotion("the run", case, run, outcome.promoted)


def _of_promotion(which: str, case: Case, run: Ended, promoted: bool) -> Iterator[str]:
    if promoted and not case.keeps_endpoint:
        yield f"{which} promoted an endpoint that was not meant to stay"
    if case.keeps_endpoint and run.state == "SUCCEEDED" and not promoted:
        yield f"{which} succeeded, and no endpoint is live"


def _of_what_is_left(outcome: Outcome) -> Iterator[str]:
    if outcome.handled and outcome.left_by_handler:
        yield f"the handler left {', '.join(outcome.left_by_handler)}"
    if outcome.swept and outcome.left_by_sweep:
        told = f" ({'; '.join(outcome.sweep_failures)})" if outcome.sweep_failures else ""
        yield f"the sweep left {', '.join(outcome.left_by_sweep)}{told}"


def _of_the_clean_run(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.clean.state != "SUCCEEDED":
        yield f"a clean run after it: {outcome.clean.state}: {' | '.join(outcome.clean.errors)}"
    yield from _of_promotion("the clean run", case, outcome.clean, outcome.clean_promoted)
    if outcome.left_in_the_end:
        yield f"the clean run left {', '.join(outcome.left_in_the_end)}"
