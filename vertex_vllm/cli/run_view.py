"""A run on the screen: a live table on a terminal, a line for each change of state elsewhere."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vertex_vllm.plain_text import one_line
from vertex_vllm.runs.engine import Run, Step

# States of steps that have run, or do.
_STYLE = {"RUNNING": "cyan", "SUCCEEDED": "green", "FAILED": "bold red", "CANCELLING": "yellow", "CANCELLED": "yellow"}


# States of steps that the run does not need, or that a failed step before them stopped.
_NOT_RUN = ("NOT_TRIGGERED", "SKIPPED")


def elapsed(step: Step, now: datetime) -> str:
    """Seconds the step has run, or ran; empty for one that never started."""
    if step.started is None or step.state not in _STYLE:
        return ""
    return f"{max(0.0, ((step.ended or now) - step.started).total_seconds()):.0f} s"


def run_table(run: Run, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("step")
    table.add_column("state")
    table.add_column("time", justify="right")
    for step in run.steps:
        table.add_row(
            Text(one_line(step.name)), Text(one_line(step.state), _STYLE.get(step.state, "dim")), elapsed(step, now)
        )
    return table


class RunView:
    """Shows each look at a run; `with view.shown(): watch(name, view.update)`."""

    def __init__(self, console: Console, clock: Callable[[], datetime] | None = None) -> None:
        """`clock`: the one that dates the run's steps; default: Google's, asked when a step has started."""
        self._console, self._clock = console, clock
        self._run: Run | None = None
        self._told: dict[str, str] = {}

    def shown(self) -> AbstractContextManager[object]:
        if not self._console.is_terminal:
            return nullcontext()
        return Live(console=self._console, refresh_per_second=4, get_renderable=self._table)

    def update(self, run: Run) -> None:
        self._run = run
        if not self._console.is_terminal:
            self._tell_changes(run)

    def _table(self) -> RenderableType:
        return run_table(self._run, self._now()) if self._run else ""

    def _now(self) -> datetime:
        if self._clock is None:
            from vertex_vllm.google.service_clock import service_clock

            self._clock = service_clock()
        return self._clock()

    def _tell_changes(self, run: Run) -> None:
        skipped = [step for step in run.steps if step.state in _NOT_RUN and self._told.get(step.name) != step.state]
        self._told.update({step.name: step.state for step in skipped})
        if skipped:
            self._print(f"  not run: {', '.join(one_line(step.name) for step in skipped)}")
        for step in run.steps:
            if self._told.get(step.name, "PENDING") != step.state:
                self._told[step.name] = step.state
                time = elapsed(step, self._now())
                self._print(f"  {one_line(step.name):<20} {one_line(step.state):<14} {time:>6}".rstrip())

    def _print(self, line: str) -> None:
        # Names come from a service: without markup they are neither styles nor links.
        self._console.print(line, markup=False, soft_wrap=True)
