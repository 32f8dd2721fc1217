"""`vertex-vllm runs list|show|watch|open|logs|cancel`"""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.place import looked_at, named_project, place_options
from vertex_vllm.cli.table import age, text_table
from vertex_vllm.cli.terminal import columns, say

if TYPE_CHECKING:
    from vertex_vllm.runs.engine import Run, Step
    from vertex_vllm.runs.run_listing import RunSummary

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def runs() -> None:
    """The pipeline runs that vertex-vllm submitted: list them, follow them, read their logs, cancel them.

    RUN is a run's id, as `list` shows it, or its whole resource name.

    Example: vertex-vllm runs list --project my-project --deployment llama-3-1-8b
    """


@runs.command("list")
@place_options
@click.option("--deployment", default="", help="Only this deployment's runs.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=0), help="Newest runs; 0: all.")
@_json_option
def list_command(project: str | None, region: str, deployment: str, limit: int, as_json: bool) -> None:
    """The newest runs: state, age, deployment, pipeline, and the account that they run as.

    Example: vertex-vllm runs list --project my-project --limit 5
    """
    from vertex_vllm.google.service_clock import service_clock
    from vertex_vllm.runs.run_listing import list_runs

    named = named_project(project)
    found = list_runs(named, region, deployment, limit)
    if as_json:
        print_json(found)
        return
    if not found:
        say(f"no runs in project {named}, region {region}", err=True)
        return
    now = service_clock()()
    rows = [
        (run.id, run.state, age(run.created, now), run.deployment, run.pipeline, run.service_account) for run in found
    ]
    say(text_table(("run", "state", "age", "deployment", "pipeline", "runs as"), rows, columns()), nl=False)
    say(looked_at(named, region), err=True)


@runs.command()
@click.argument("run")
@place_options
@_json_option
def show(run: str, project: str | None, region: str, as_json: bool) -> None:
    """A run's steps with states, times and errors, and the artifacts that they wrote.

    Example: vertex-vllm runs show deploy-llama-3-1-8b-20260101120000 --project my-project
    """
    from vertex_vllm.cli.local_shell import console_page
    from vertex_vllm.google.service_clock import service_clock
    from vertex_vllm.runs.run_listing import summary
    from vertex_vllm.runs.vertex_engine import VertexEngine, find_run, read_run

    job = find_run(resource_name(run, project, region))
    told, details = summary(job), read_run(job)
    if as_json:
        steps = {"error": details.error, "steps": details.steps}
        print_json({**{name: getattr(told, name) for name in told.__dataclass_fields__}, **steps})
        return
    for line in _header(told, details):
        say(line)
    say()
    now = service_clock()()
    rows = [(step.name, step.state, _clock(step.started), _took(step, now)) for step in details.steps]
    say(text_table(("step", "state", "started (UTC)", "time"), rows, columns()), nl=False)
    for line in (*_errors(details), *_artifacts(details)):
        say(line)
    if page := console_page(VertexEngine().address(told.name)):
        say(page, err=True)


@runs.command()
@click.argument("run")
@place_options
def watch(run: str, project: str | None, region: str) -> None:
    """Follow a run's steps until it ends; then its endpoint, price and report, or why it failed.

    Exit code 1 when the run did not succeed. Interrupted, the run continues.

    Example: vertex-vllm runs watch deploy-llama-3-1-8b-20260101120000 --project my-project
    """
    from rich.console import Console

    from vertex_vllm.cli.run_outcome import tell_end
    from vertex_vllm.cli.run_view import RunView
    from vertex_vllm.runs.run_listing import summary
    from vertex_vllm.runs.vertex_engine import VertexEngine, find_run

    name = resource_name(run, project, region)
    told = summary(find_run(name))
    view = RunView(Console(stderr=True, highlight=False))
    with view.shown():
        ended = VertexEngine().watch(name, view.update)
    say(ended.state)
    tell_end(ended, told.deployment, told.pipeline, project or name.split("/")[1])


@runs.command("open")
@click.argument("run")
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder that the page is written to.",
)
@click.option("--no-browser", is_flag=True, help="Only write the page, and print its path.")
@place_options
def open_command(run: str, folder: Path, no_browser: bool, project: str | None, region: str) -> None:
    """Open a run's page in a browser: the evaluation's report, else why a step failed, else the plan.

    The page is copied from the run's bucket. Its path is printed.

    Example: vertex-vllm runs open deploy-llama-3-1-8b-20260101120000 --project my-project
    """
    from vertex_vllm.cli.run_pages import save_page
    from vertex_vllm.runs.vertex_engine import find_run, read_run

    name = resource_name(run, project, region)
    path = save_page(read_run(find_run(name)), project or name.split("/")[1], folder)
    say(path)
    if not no_browser:
        click.launch(str(path.resolve()))


@runs.command()
@click.argument("run")
@click.option("--follow", "-f", is_flag=True, help="Print new lines until the run has ended.")
@click.option("--step", default="", help="Only this step, as `runs show` names it.")
@click.option("--commands", is_flag=True, help="Print the `gcloud logging read` commands instead.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="With --commands: print JSON.")
def logs(run: str, follow: bool, step: str, commands: bool, project: str | None, region: str, as_json: bool) -> None:
    """Print the lines that a run's steps wrote, each with its step in front.

    They come from Cloud Logging; in a shell of a local cloud, from the files in its state folder.

    Example: vertex-vllm runs logs deploy-llama-3-1-8b-20260101120000 --follow --project my-project
    """
    from vertex_vllm.cli.run_logs import shown_lines
    from vertex_vllm.errors import InputError
    from vertex_vllm.runs.vertex_engine import find_run, read_run

    name = resource_name(run, project, region)
    details = read_run(find_run(name))
    if step and step not in {each.name for each in details.steps}:
        known = ", ".join(each.name for each in details.steps) or "none yet"
        raise InputError(f"the run has no step {step}", where="--step", fix=f"Its steps: {known}")
    if commands or as_json:
        _log_commands(details, name.split("/")[1], as_json=as_json)
        return
    printed = 0
    for line in shown_lines(lambda: read_run(find_run(name)), name.split("/")[1], step, follow=follow):
        say(line)
        printed += 1
    if not printed:
        say(f"No line of {name} can be read. `vertex-vllm runs show {name}` has the steps' errors", err=True)


def _log_commands(run: "Run", project: str, *, as_json: bool) -> None:
    from vertex_vllm.runs.logs import log_commands, steps_without_log

    commands = log_commands(run, project)
    if as_json:
        print_json([asdict(command) for command in commands])
    else:
        for command in commands:
            say(f"# {command.step or 'the run itself'}\n{command.command}")
    if silent := steps_without_log(run):
        say(f"Vertex AI names no job for: {', '.join(silent)}. Cloud Logging has no entries of them", err=True)


@runs.command()
@click.argument("run")
@place_options
@click.option("--wait", is_flag=True, help="Wait until the run has ended; exit code 1 when it was not cancelled.")
def cancel(run: str, project: str | None, region: str, wait: bool) -> None:
    """Cancel a run that is under way; its exit handler removes what it created.

    Example: vertex-vllm runs cancel deploy-llama-3-1-8b-20260101120000 --project my-project --wait
    """
    from rich.console import Console

    from vertex_vllm.cli.run_view import RunView
    from vertex_vllm.runs.vertex_engine import VertexEngine

    name, engine = resource_name(run, project, region), VertexEngine()
    engine.cancel(name)
    say(f"Cancelling {name}", err=True)
    if not wait:
        return
    view = RunView(Console(stderr=True, highlight=False))
    with view.shown():
        ended = engine.watch(name, view.update)
    say(ended.state)
    if ended.state != "CANCELLED":
        say(f"error: the run was not cancelled; it ended as {ended.state}", err=True)
        sys.exit(1)


def resource_name(run: str, project: str | None, region: str) -> str:
    """The run's full resource name, from its id or from the name itself. Raises InputError for another resource's."""
    from vertex_vllm.vertex_ai.resource_names import ResourceName

    name = run if "/" in run else f"projects/{named_project(project)}/locations/{region}/pipelineJobs/{run}"
    return str(ResourceName.parse(name, "pipelineJobs"))


def _header(told: "RunSummary", details: "Run") -> list[str]:
    rows = [
        ("Run", told.name),
        ("State", f"{told.state}{': ' + details.error if details.error else ''}"),
        ("Created", f"{told.created:%Y-%m-%d %H:%M:%S} UTC"),
        ("Deployment", told.deployment),
        ("Pipeline", told.pipeline),
        ("Runs as", told.service_account),
        ("Commit", told.commit),
    ]
    return [f"{label:<12}{value}" for label, value in rows if value]


def _clock(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S}" if moment else ""


def _took(step: "Step", now: datetime) -> str:
    from vertex_vllm.cli.run_view import elapsed

    return elapsed(step, now)


def _errors(run: "Run") -> list[str]:
    failed = [f"  {step.name}: {step.error}" for step in run.steps if step.error]
    return ["", "Errors", *failed] if failed else []


def _artifacts(run: "Run") -> list[str]:
    listed = [
        f"  {step.name}.{name}: {artifact.uri}"
        for step in run.steps
        for name, artifacts in step.outputs.items()
        for artifact in artifacts
    ]
    return ["", "Artifacts", *listed] if listed else []
