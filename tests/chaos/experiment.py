"""Execution of a case: the run that it strikes, a sweep if the exit handler could not run, and a run without faults.

A case that strikes nothing is itself a run without faults, and has no second run.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from localcloud import daemon
from tests.canary import Commands
from tests.chaos import runs
from tests.chaos.acts import ACTS, Processes
from tests.chaos.cases import NOTHING, Case
from tests.chaos.outcome import Ended, Outcome
from tests.chaos.place import REGION, Place
from tests.chaos.runs import FREE
from tests.waiting import wait_until
from vertex_vllm.config import Deployment
from vertex_vllm.google import shared_clients
from vertex_vllm.lifecycle.sweep import sweep
from vertex_vllm.project_names import default_bucket
from vertex_vllm.runs.engine import ENDED, Run

_LOOK_SECONDS = 0.1
_FAULTS_SECONDS = 0.05
HANDLER = "teardown-run"


def carry_out(case: Case, place: Place, project: str, commands: Commands) -> Outcome:
    """`project`: one that nobody has used. `commands` learns what processes were seen with while the runs went on."""
    began = time.monotonic()
    place.cloud.clear_faults()
    runs.make_project(project, place.token)
    deployment = runs.deployment(case.model, keep_endpoint=case.keeps_endpoint)
    faulted, struck, met, acted = _Faulted(case, place, project, deployment, commands).to_its_end()
    promoted = _look_and_remove(project, case, faulted)
    after_handler = runs.left(project)
    # The sweep also removes a resource that appears after the exit handler's last look, and costs nothing.
    late = case.holds_a_call and bool(after_handler) and all(FREE in name for name in after_handler)
    swept = late or faulted.handler != "SUCCEEDED"
    report = sweep(project, [REGION], dry_run=False, now=_when_due(project)) if swept else None
    after_sweep = runs.left(project) if swept else ()
    clean, clean_promoted = faulted, promoted
    if case.family != NOTHING:  # Nothing struck that run, so no second run is needed.
        clean = _ended(_to_its_end(runs.start(project, deployment, f"{project}-clean"), commands), time.monotonic())
        clean_promoted = _look_and_remove(project, case, clean)
    return Outcome(
        seed=case.seed,
        faulted=faulted,
        struck=struck,
        met=met,
        acted=acted,
        promoted=promoted,
        left_by_handler=() if late else after_handler,
        swept=swept,
        left_by_sweep=after_sweep,
        sweep_failures=tuple(": ".join(each) for each in report.remaining.items()) if report else (),
        clean=clean,
        clean_promoted=clean_promoted,
        left_in_the_end=runs.left(project),
        seconds=time.monotonic() - began,
    )


def _look_and_remove(project: str, case: Case, run: Ended) -> bool:
    """Whether the run has promoted an endpoint. Removes the kept resources, as a user would."""
    promoted = runs.has_promoted(project)
    if case.keeps_endpoint and run.state == "SUCCEEDED":
        runs.remove(project)
    return promoted


def _when_due(project: str) -> datetime:
    """An endpoint that the run promoted before it died serves until it expires."""
    return datetime.now(UTC) + (2 * runs.TIME_TO_LIVE if runs.has_promoted(project) else timedelta(0))


class _Faulted:
    """The run that a case strikes."""

    def __init__(self, case: Case, place: Place, project: str, deployment: Deployment, commands: Commands) -> None:
        self._case, self._place, self._commands = case, place, commands
        processes = Processes(place)
        self._began = time.monotonic()
        self._name = runs.start(project, deployment, f"{project}-faulted")
        # From here on only the run makes the calls that faults strike; its first step begins soon.
        for fault in case.faults_at(default_bucket(project, REGION)):
            place.cloud.add_fault(**fault)
        processes.find_runner()
        self._processes = processes
        self._next_look = 0.0
        self._struck = 0
        self._met: tuple[int, ...] = ()
        self._acted = False

    def to_its_end(self) -> tuple[Ended, int, tuple[int, ...], bool]:
        run = wait_until(self._ended, every_seconds=_FAULTS_SECONDS)
        if self._case.holds_a_call:  # The call is executed although its caller has died.
            wait_until(lambda: not any(fault["striking"] for fault in self._place.cloud.faults()))
        self._count()
        self._place.cloud.clear_faults()
        return _ended(run, self._began), self._struck, self._met, self._acted

    def _ended(self) -> Run | None:
        """Returns the run after its end; until then, performs the case's act at its moment."""
        if daemon.status(self._place.state_dir) is None:
            self._crashed()
        self._act_when_due()
        if time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + _LOOK_SECONDS
        self._commands.look()
        run = self._look()
        return run if run is not None and run.state in ENDED else None

    def _crashed(self) -> None:
        assert not self._case.keeps_server, "the local cloud is gone, and nobody had asked for that"
        self._struck = 1  # Its counters are lost with it.
        self._place.restart()
        shared_clients.forget()

    def _look(self) -> Run | None:
        try:
            return runs.look(self._name)
        except Exception:
            if self._case.keeps_server:
                raise
            return None

    def _act_when_due(self) -> None:
        case = self._case
        if not case.act or self._acted:
            return
        if case.moment is not None:
            due = time.monotonic() >= self._began + case.moment
        else:
            self._count()
            due = bool(self._struck)
        if due:
            self._acted = ACTS[case.act](self._name, self._processes)

    def _count(self) -> None:
        if self._case.keeps_server:
            posted = self._place.cloud.faults()
            self._struck = sum(fault["struck"] for fault in posted)
            self._met = tuple(fault["met"] for fault in posted)


def _to_its_end(name: str, commands: Commands) -> Run:
    def ended() -> Run | None:
        commands.look()
        run = runs.look(name)
        return run if run.state in ENDED else None

    return wait_until(ended, every_seconds=_LOOK_SECONDS)


def _ended(run: Run, began: float) -> Ended:
    errors = tuple(dict.fromkeys(error for error in (run.error, *(step.error for step in run.steps)) if error))
    handler = next((step.state for step in run.steps if step.name == HANDLER), "")
    return Ended(run.state, errors, handler, time.monotonic() - began)


def broken(case: Case, error: BaseException) -> Outcome:
    """The outcome of a case in which the suite itself failed."""
    nothing = Ended("")
    said = f"{type(error).__name__}: {error}"
    return replace(
        Outcome(case.seed, nothing, 0, (), False, False, (), False, (), (), nothing, False, (), 0.0), broke=said
    )
