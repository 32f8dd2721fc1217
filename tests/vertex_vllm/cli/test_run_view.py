"""Names of steps that come from a service are text, not the markup of the terminal's library."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from vertex_vllm.cli.run_view import RunView, run_table
from vertex_vllm.runs.engine import Run, Step

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NAMES = ("closing [/] tag", "[link=https://evil.example]deploy-model[/link]", "[red]deploy-model[/]")


@pytest.mark.parametrize("state", ["RUNNING", "SKIPPED"])
@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is(name: str, terminal: bool, state: str) -> None:
    run = Run("projects/p/locations/l/pipelineJobs/x", "RUNNING", "", (Step(name, state, NOW, None, "", {}),))
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, highlight=False, width=100, color_system="truecolor")
    if terminal:
        console.print(run_table(run, NOW))
    else:
        RunView(console, lambda: NOW).update(run)
    assert name in out.getvalue()
    assert "evil.example\x1b" not in out.getvalue()
