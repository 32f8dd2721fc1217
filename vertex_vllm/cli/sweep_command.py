"""`vertex-vllm sweep`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.place import looked_at, named_project, named_regions, regions_option, require_credentials
from vertex_vllm.cli.sending import image_option, require_ready, with_image
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import InputError

if TYPE_CHECKING:
    from vertex_vllm.runs.schedule_difference import WantedSchedule

_SCHEDULE_REGION = "us-central1"


@click.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
@click.option("--orphans", is_flag=True, help="Also resources of deployments without a config: give all CONFIGS.")
@click.option("--delete", is_flag=True, help="Remove them; without this option, they are only listed.")
@click.option("--schedule", "cron", metavar="CRON", help="Let Vertex AI repeat it, for example at '0 * * * *'.")
@click.option("--service-account", default="", help="With --schedule: runs the sweep; default: the pipelines'.")
@image_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def sweep(
    configs: tuple[Path, ...],
    project: str | None,
    regions: tuple[str, ...],
    orphans: bool,
    delete: bool,
    cron: str | None,
    service_account: str,
    image: str,
    as_json: bool,
) -> None:
    """Remove what expired, what a run left that ended without its exit handler, and with --orphans what has no config.

    A dry run unless --delete is given. Nothing without vertex-vllm's labels is touched, and nothing with the label
    vertex-vllm-keep. With --schedule CRON, `delete` is implied and Vertex AI runs it; "never" removes that schedule.

    Example: vertex-vllm sweep configs/*.yaml --orphans --project my-project
    """
    if orphans != bool(configs):
        raise InputError(
            "--orphans needs the configs that are wanted" if orphans else "configs are for --orphans",
            fix="Give all of them: vertex-vllm sweep configs/*.yaml --orphans",
        )
    if cron:
        _schedule(cron, named_project(project), regions, service_account, image, orphans=orphans)
        return

    from vertex_vllm.cli.schedule_command import loaded_deployments
    from vertex_vllm.google.service_clock import service_clock
    from vertex_vllm.lifecycle.sweep import require_clean
    from vertex_vllm.lifecycle.sweep import sweep as sweep_now

    named = named_project(project)
    require_credentials(named)
    names = [deployment.name for deployment in loaded_deployments(configs)]
    # A machine whose clock is wrong must not remove what has not expired.
    report = sweep_now(named, named_regions(regions), names, dry_run=not delete, now=service_clock()())
    if as_json:
        print_json(report)
    else:
        say(str(report))
        if not delete and report.findings:
            say("This was a dry run: nothing was removed", err=True)
            say(looked_at(named, *regions), err=True)
            say_next(("removes them", ("sweep", *configs, *_given(project, regions, orphans=orphans), "--delete")))
        elif delete and report.findings:
            say_next(("what the project still holds", ("inventory", "--project", named)))
        else:
            say(looked_at(named, *regions), err=True)
    require_clean(report)


def _given(project: str | None, regions: tuple[str, ...], *, orphans: bool) -> list[str]:
    """The options as they were given, for the printed command that deletes."""
    words = ["--project", project] if project else []
    words += [word for region in regions for word in ("--region", region)]
    return [*words, *(["--orphans"] if orphans else [])]


def _schedule(
    cron: str, project: str, regions: tuple[str, ...], service_account: str, image: str, *, orphans: bool
) -> None:
    from vertex_vllm.config.cron import cron_fault
    from vertex_vllm.runs import schedule_calls
    from vertex_vllm.runs.schedule_difference import PROJECT, difference

    if orphans:
        raise InputError(
            "a schedule would keep today's list of configs, and remove what a config added tomorrow makes",
            where="--schedule",
            fix="Look for orphans where the configs are: in CI, after a merge.",
        )
    stop = cron == "never"
    if not stop and (fault := cron_fault(cron)):
        raise InputError(fault, where="--schedule", fix="For example '0 * * * *', every hour.")
    named = named_regions(regions) if regions else ()
    region = named[0] if named else _SCHEDULE_REGION
    wanted = [] if stop else [project_sweep(cron, project, region, named, service_account, image)]
    require_ready(*(schedule.submission for schedule in wanted))
    changes = difference(wanted, schedule_calls.list_schedules(project, region), [PROJECT])
    schedule_calls.apply(changes, lambda change: say(f"{change.action}: {change.display_name}"))


def project_sweep(
    cron: str, project: str, region: str, regions: tuple[str, ...], service_account: str = "", image: str = ""
) -> "WantedSchedule":
    """The sweep of a project as a schedule in `region`. It belongs to no deployment and to no config.

    Raises as `with_image`.
    """
    from vertex_vllm.project_names import PIPELINE_ACCOUNT, account_email, runs_bucket
    from vertex_vllm.runs.schedule_difference import PROJECT, WantedSchedule
    from vertex_vllm.runs.specs import compiled
    from vertex_vllm.runs.submission import Submission, run_labels

    submission = Submission(
        project=project,
        region=region,
        spec=compiled("sweep"),
        job_id="",
        parameters={"project": project, "regions": list(regions), "dry_run": False},
        pipeline_root=f"gs://{runs_bucket(project, region)}",
        labels=run_labels("sweep", PROJECT),
        service_account=service_account or account_email(PIPELINE_ACCOUNT, project),
    )
    return WantedSchedule(PROJECT, "sweep", f"TZ=UTC {' '.join(cron.split())}", with_image(submission, image))
