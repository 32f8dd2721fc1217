"""`vertex-vllm schedule apply|list|pause|resume|delete`"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.help_text import Group
from vertex_vllm.cli.place import looked_at, named_project, place_options
from vertex_vllm.cli.sending import image_option, require_ready, require_shared_suite, with_image
from vertex_vllm.cli.table import text_table
from vertex_vllm.cli.terminal import columns, say
from vertex_vllm.error_data import ConfigFault
from vertex_vllm.errors import ConfigError, InputError

if TYPE_CHECKING:
    from vertex_vllm.config import Deployment
    from vertex_vllm.config.schedule import Schedule
    from vertex_vllm.runs.schedule_difference import Change, ExistingSchedule, WantedSchedule

_DONE = {"create": "created", "replace": "replaced", "keep": "kept", "delete": "deleted"}


@click.group(cls=Group)
def schedule() -> None:
    """Pipelines that Vertex AI runs again and again, as the configs' `schedules` say.

    SCHEDULE is DEPLOYMENT/NAME, as `list` shows it, or its whole resource name.

    Example: vertex-vllm schedule apply configs/*.yaml --dry-run
    """


@schedule.command()
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--project", help="Project id; default: the config's, then GOOGLE_CLOUD_PROJECT.")
@image_option
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
def apply(configs: tuple[Path, ...], project: str | None, image: str, dry_run: bool) -> None:
    """Make the schedules of these deployments equal to their configs.

    A changed spec, parameter or time means a new schedule, which is created before the old one is deleted. A schedule
    that its config no longer has is deleted. Deployments whose config is not given are left alone. The steps run in the
    image that `bootstrap` built in the project; another image means a new schedule, too.

    Example: vertex-vllm schedule apply configs/examples/*.yaml --project my-project
    """
    from vertex_vllm.cli.submit_command import project_of
    from vertex_vllm.runs import schedule_calls
    from vertex_vllm.runs.schedule_difference import difference

    places: dict[tuple[str, str], list[Deployment]] = {}
    for deployment in loaded_deployments(configs):
        place = (project_of(deployment, project), deployment.google_cloud.region)
        places.setdefault(place, []).append(deployment)
    changes: list[Change] = []
    for (where, region), deployments in places.items():
        wanted = [wanted_schedule(each, one, where, image) for each in deployments for one in each.schedules]
        existing = schedule_calls.list_schedules(where, region)
        changes += difference(wanted, existing, [each.name for each in deployments])
    if dry_run:
        _print([_row(change, change.action) for change in changes])
        return
    require_ready(*(change.wanted.submission for change in changes if change.wanted and change.action != "keep"))
    schedule_calls.apply(changes, lambda change: say(f"{_DONE[change.action]}: {change.display_name}"))
    if not changes:
        say("no schedules", err=True)


@schedule.command("list")
@place_options
@click.option("--deployment", default="", help="Only this deployment's schedules.")
def list_command(project: str | None, region: str, deployment: str) -> None:
    """The schedules that vertex-vllm made: times, state, next run, runs so far, and how the last start ended.

    Example: vertex-vllm schedule list --project my-project
    """
    named = named_project(project)
    found = _existing(named, region)
    rows = [
        (each.display_name, each.pipeline, each.cron, each.state, _moment(each), str(each.started_runs), _told(each))
        for each in found
        if deployment in ("", each.deployment)
    ]
    if not rows:
        say(f"no schedules in project {named}, region {region}", err=True)
        return
    header = ("schedule", "pipeline", "cron", "state", "next run (UTC)", "runs", "last start")
    say(text_table(header, rows, columns()), nl=False)
    say(looked_at(named, region), err=True)


@schedule.command()
@click.argument("schedule")
@place_options
def pause(schedule: str, project: str | None, region: str) -> None:
    """Start no more runs. Active runs continue.

    Example: vertex-vllm schedule pause llama-3-1-8b/nightly --project my-project
    """
    from vertex_vllm.runs.schedule_calls import pause

    _each(schedule, project, region, pause, "paused")


@schedule.command()
@click.argument("schedule")
@place_options
@click.option("--catch-up", is_flag=True, help="Also make every run that was missed during the pause.")
def resume(schedule: str, project: str | None, region: str, catch_up: bool) -> None:
    """Start runs again, from the next time on.

    Example: vertex-vllm schedule resume llama-3-1-8b/nightly --project my-project
    """
    from vertex_vllm.runs.schedule_calls import resume

    _each(schedule, project, region, partial(resume, catch_up=catch_up), "resumed")


@schedule.command()
@click.argument("schedule")
@place_options
def delete(schedule: str, project: str | None, region: str) -> None:
    """Delete a schedule. Runs that it has started continue. `apply` creates it again while its config has it.

    Example: vertex-vllm schedule delete llama-3-1-8b/nightly --project my-project
    """
    from vertex_vllm.runs.schedule_calls import delete

    _each(schedule, project, region, delete, "deleted")


def _each(schedule: str, project: str | None, region: str, act: Callable[[str], None], done: str) -> None:
    """Acts on every schedule of that name."""
    for name in _names(schedule, project, region):
        act(name)
    say(f"{done}: {schedule}")


def wanted_schedule(deployment: "Deployment", schedule: "Schedule", project: str, image: str = "") -> "WantedSchedule":
    """A config's schedule, with what `submit` would send for its pipeline and parameters. Raises as `with_image`."""
    from vertex_vllm.cli.submit_command import submission
    from vertex_vllm.runs.schedule_difference import WantedSchedule

    return WantedSchedule(
        deployment=deployment.name,
        name=schedule.name,
        cron=f"TZ={schedule.time_zone} {' '.join(schedule.cron.split())}",
        submission=require_shared_suite(
            with_image(submission(deployment, schedule.pipeline, project, schedule.parameters), image)
        ),
        start=schedule.start,
        end=schedule.end,
        max_run_count=schedule.max_run_count or 0,
    )


def loaded_deployments(configs: Iterable[Path]) -> list["Deployment"]:
    """The deployments of all configs, or the faults of all: nothing is applied by half.

    Raises ConfigError with all faults, and InputError for two configs of one deployment.
    """
    from vertex_vllm.config import load_deployment

    loaded: dict[str, tuple[Path, Deployment]] = {}
    faults: list[ConfigFault] = []
    for path in configs:
        try:
            deployment = load_deployment(path)
        except ConfigError as error:
            faults += error.faults
            continue
        if deployment.name in loaded:
            first = loaded[deployment.name][0]
            raise InputError(f"{first} is named {deployment.name}, too", where=str(path), fix="Give one of them")
        loaded[deployment.name] = (path, deployment)
    if faults:
        raise ConfigError(faults)
    return [deployment for _, deployment in loaded.values()]


def _existing(project: str | None, region: str) -> "tuple[ExistingSchedule, ...]":
    from vertex_vllm.runs.schedule_calls import list_schedules

    return list_schedules(named_project(project), region)


def _names(schedule: str, project: str | None, region: str) -> list[str]:
    """Resource names of the schedules that SCHEDULE names. Raises InputError when there are none."""
    if schedule.startswith("projects/"):
        return [schedule]
    existing = _existing(project, region)
    found = [each.resource_name for each in existing if each.display_name == schedule]
    if not found:
        known = ", ".join(sorted(each.display_name for each in existing))
        raise InputError(f"there is no schedule {schedule}", fix=f"Known: {known or 'none'}")
    return found


def _row(change: "Change", action: str) -> tuple[str, ...]:
    pipeline = change.existing[0].pipeline if change.wanted is None else change.wanted.submission.spec.stem
    return (action, change.display_name, pipeline, change.cron)


def _print(rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        say("no schedules", err=True)
        return
    say(text_table(("change", "schedule", "pipeline", "cron"), rows, columns()), nl=False)


def _moment(schedule: "ExistingSchedule") -> str:
    return f"{schedule.next_run:%Y-%m-%d %H:%M}" if schedule.next_run and schedule.state == "ACTIVE" else ""


def _told(schedule: "ExistingSchedule") -> str:
    """On one line, cut to a length that leaves the other columns visible."""
    return " ".join(schedule.last_response.split())[:80]
