"""`vertex-vllm rollback DEPLOYMENT`"""

import click

from vertex_vllm.cli.completing import deployments
from vertex_vllm.cli.json_output import print_json
from vertex_vllm.cli.next_steps import say_next
from vertex_vllm.cli.place import named_project, named_regions, regions_option, require_credentials
from vertex_vllm.cli.terminal import say


@click.command()
@click.argument("deployment", shell_complete=deployments)
@click.option("--to", default="", metavar="ENDPOINT|CONFIG", help="Endpoint's id, or hash of its config.")
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rollback(deployment: str, to: str, project: str | None, regions: tuple[str, ...], as_json: bool) -> None:
    """Make the superseded endpoint of DEPLOYMENT live again: the newest one, or the one that --to names.

    It has kept serving since it was superseded, so this takes seconds and deploys nothing. The endpoint that was live
    is superseded, keeps serving, and `rollback` goes back to it.

    Example: vertex-vllm rollback llama-3-1-8b-instruct --project my-project
    """
    from vertex_vllm.lifecycle.superseded_endpoints import roll_back

    named = named_project(project)
    require_credentials(named)
    done = roll_back(named, named_regions(regions), deployment, to)
    if as_json:
        print_json(done)
        return
    say(f"live: {done.live}")
    for name in done.superseded:
        say(f"superseded: {name}")
    say("The config in the repository is unchanged: revert it too, or the next deployment promotes it again", err=True)
    where = ("--project", named)
    say_next(
        ("an answer", ("ask", deployment, "What is the capital of France?", *where)),
        ("remove the endpoint that was live", ("teardown", deployment, "--superseded", *where)),
    )
