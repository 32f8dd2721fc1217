"""A run on the screen: a live table on a terminal, a line for each change of state elsewhere."""

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table

from vertex_vllm.runs.watching import Run, Step

_STYLE = {"SUCCEEDED": "green", "FAILED": "bold red", "RUNNING": "cyan", "CANCELLED": "yellow", "SKIPPED": "dim"}


def elapsed_seconds(step: Step, now: datetime) -> float | None:
    """Seconds the step has run, or ran; None before it starts."""
    if step.started is None or step.state == "PENDING":
        return None
    return ((step.ended or now) - step.started).total_seconds()


def run_table(run: Run, now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("step")
    table.add_column("state")
    table.add_column("time", justify="right")
    for step in run.steps:
        seconds = elapsed_seconds(step, now)
        style = _STYLE.get(step.state, "")
        table.add_row(
            step.name,
            f"[{style}]{step.state}[/]" if style else step.state,
            f"{seconds:.0f} s" if seconds is not None else "",
        )
    return table


class RunView:
    """Shows each look at a run; `with view.shown(): watch(name, view.update)`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._told: dict[str, str] = {}

    def shown(self) -> AbstractContextManager[object]:
        return self._live or nullcontext()

    def update(self, run: Run) -> None:
        now = datetime.now(UTC)
        if self._live:
            self._live.update(run_table(run, now))
            return
        for step in run.steps:
            if self._told.get(step.name) != step.state:
                self._told[step.name] = step.state
                seconds = elapsed_seconds(step, now)
                self._console.print(f"  {step.name:<20} {step.state:<10}" + (f" {seconds:6.1f} s" if seconds else ""))
