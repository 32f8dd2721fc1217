"""`vertex-vllm teardown DEPLOYMENT`"""

import sys

import click

from vertex_vllm.cli.completing import deployments
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.place import named_project, named_regions, regions_option, require_credentials
from vertex_vllm.cli.terminal import say
from vertex_vllm.errors import InputError


@click.command()
@click.argument("deployment", shell_complete=deployments)
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
@click.option("--run", "run_id", default="", help="Only resources of this run.")
@click.option("--superseded", is_flag=True, help="Only superseded endpoints, and the model versions that they serve.")
@click.option("--delete-prefix", default="", help="gs:// prefix that is deleted too, weights for example.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before a live endpoint is removed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def teardown(
    deployment: str,
    project: str | None,
    regions: tuple[str, ...],
    run_id: str,
    superseded: bool,
    delete_prefix: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove the endpoints and models of DEPLOYMENT, live or not, found by their labels; the config is not needed.

    The same as the teardown pipeline. Exit code 1 when something still exists at the end. It may be repeated,
    and interrupted: Vertex AI finishes the removals that were started.

    Example: vertex-vllm teardown llama-3-1-8b-instruct --superseded --project my-project
    """
    from vertex_vllm.lifecycle.superseded_endpoints import SupersededOf
    from vertex_vllm.lifecycle.teardown import remove_everywhere, require_gone, would_remove

    if superseded and run_id:
        raise InputError("--superseded and --run exclude each other", where="teardown", fix="Give one of the two")
    places, named = named_regions(regions), named_project(project)
    require_credentials(named)
    look = SupersededOf(deployment) if superseded else None
    if dry_run or not (yes or superseded):
        planned = would_remove(named, places, deployment, run_id, look)
        if dry_run:
            _tell_dry_run(planned.doomed, planned.failures, delete_prefix, as_json=as_json)
            return
        _consent(deployment, planned.live)
    report = remove_everywhere(named, places, deployment, run_id, delete_prefix, look=look)
    if as_json:
        print_json(report)
    else:
        for name in report.removed:
            say(f"removed: {name}")
        for name, reason in report.kept.items():
            say(f"kept: {name}: {reason}", err=True)
        if not report.removed and not report.remaining:
            kind = "superseded endpoint" if superseded else "endpoint or model"
            say(f"no {kind} of {deployment} in project {named}, {', '.join(regions) or 'any region'}", err=True)
    require_gone(report)
    if report.removed and not run_id and not as_json:
        say_next(("what the project still holds; weights stay in their bucket", ("inventory", "--project", named)))


def _tell_dry_run(doomed: dict[str, str], failures: dict[str, str], prefix: str, *, as_json: bool) -> None:
    named = [*doomed, *([prefix] if prefix else [])]
    if as_json:
        print_json({"would_remove": named, "failures": failures})
    else:
        for name in named:
            say(f"would remove: {name}")
        say("This was a dry run: nothing was removed" if named else "Nothing would be removed", err=True)
    for region, reason in failures.items():
        say(f"error: {region}: {reason}", err=True)
    sys.exit(1 if failures else 0)


def _consent(deployment: str, live: tuple[str, ...]) -> None:
    """Asks a person at a terminal before a live endpoint is removed. Raises InputError without one and without
    --yes."""
    if not live:
        return
    for name in live:
        say(f"live: {name}", err=True)
    if not sys.stdin.isatty():
        raise InputError(
            f"the live endpoint of {deployment} would be removed", where="teardown", fix="Give --yes to remove it"
        )
    click.confirm(
        f"Remove the live endpoint of {deployment}? Its callers get errors from then on.", abort=True, err=True
    )
