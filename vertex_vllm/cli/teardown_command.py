"""`vertex-vllm teardown DEPLOYMENT`"""

import click

from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.place import named_project, named_regions, regions_option, require_credentials
from vertex_vllm.cli.terminal import say


@click.command()
@click.argument("deployment")
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
@click.option("--run", "run_id", default="", help="Only what this run made.")
@click.option("--delete-prefix", default="", help="gs:// prefix that is deleted too, weights for example.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def teardown(
    deployment: str, project: str | None, regions: tuple[str, ...], run_id: str, delete_prefix: str, as_json: bool
) -> None:
    """Remove the endpoints and models of DEPLOYMENT, live or not, found by their labels; the config is not needed.

    What the teardown pipeline does, from here. Exit code 1 when something is still there in the end. May be repeated,
    and broken off: what has begun to be removed goes on.

    Example: vertex-vllm teardown llama-3-1-8b-instruct --project my-project
    """
    from vertex_vllm.lifecycle.teardown import remove_everywhere, require_gone

    places, named = named_regions(regions), named_project(project)
    require_credentials(named)
    report = remove_everywhere(named, places, deployment, run_id, delete_prefix)
    if as_json:
        print_json(report)
    else:
        for name in report.removed:
            say(f"removed: {name}")
        for name, reason in report.kept.items():
            say(f"kept: {name}: {reason}", err=True)
        if not report.removed and not report.remaining:
            say(f"nothing of {deployment} in {', '.join(regions) or 'any region'}", err=True)
    require_gone(report)
