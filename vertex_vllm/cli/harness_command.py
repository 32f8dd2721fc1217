"""`vertex-vllm harness DEPLOYMENT -- COMMAND…`"""

import os
import subprocess
import sys

import click

from vertex_vllm.cli.place import named_project, named_regions, regions_option, require_credentials
from vertex_vllm.errors import InputError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("deployment")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--project", help="Project id; default: GOOGLE_CLOUD_PROJECT.")
@regions_option
def harness(deployment: str, command: tuple[str, ...], project: str | None, regions: tuple[str, ...]) -> None:
    """Run COMMAND, an evaluation harness, against the live endpoint of DEPLOYMENT.

    The command finds an OpenAI-compatible server in OPENAI_BASE_URL and OPENAI_API_KEY, and in SERVED_BASE_URL and
    SERVED_API_KEY; its exit code is this command's. Options of vertex-vllm come before `--`.

    Example: vertex-vllm harness smollm2-135m-instruct --project my-project -- inspect eval task.py --model
    openai-api/served/served
    """
    from vertex_vllm.inference.openai_bridge import bridge_to
    from vertex_vllm.lifecycle.deployment_view import view_deployment

    named = named_project(project)
    require_credentials(named)
    endpoint = view_deployment(named, named_regions(regions), deployment).serving.endpoint
    with bridge_to(endpoint) as bridge:
        try:
            code = subprocess.call(command, env={**os.environ, **bridge.environment})
        except OSError as error:
            fix = "Name a program that is installed; `make harness` installs inspect-ai into .venv-harness"
            raise InputError(f"cannot be started: {error.strerror}", where=command[0], fix=fix) from error
    sys.exit(code)
