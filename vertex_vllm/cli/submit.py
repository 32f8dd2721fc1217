"""`vertex-vllm submit CONFIG`"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from vertex_vllm.config import Deployment
    from vertex_vllm.runs.submission import Submission

PIPELINES = ("deploy", "evaluate", "mirror", "teardown")


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--pipeline", type=click.Choice(PIPELINES), default="deploy", show_default=True)
@click.option("--project", help="Project id; default: the config's, then GOOGLE_CLOUD_PROJECT.")
@click.option("--wait", is_flag=True, help="Follow the steps; exit code 0 when the run succeeds, 1 when not.")
def submit(config: Path, pipeline: str, project: str | None, wait: bool) -> None:
    """Run a pipeline on Vertex AI Pipelines with a config's parameters.

    Example: vertex-vllm submit configs/llama-3.1-8b-instruct.yaml --project my-project --wait
    """
    from rich.console import Console

    from vertex_vllm.cli.run_view import RunView
    from vertex_vllm.config import load_deployment
    from vertex_vllm.runs.submission import console_address
    from vertex_vllm.runs.submission import submit as send
    from vertex_vllm.runs.watching import watch

    deployment = load_deployment(config)
    resource_name = send(submission(deployment, pipeline, project_of(deployment, project)))
    click.echo(resource_name)
    click.echo(console_address(resource_name), err=True)
    if not wait:
        return
    view = RunView(Console(stderr=True, highlight=False))
    with view.shown():
        run = watch(resource_name, view.update)
    if run.state != "SUCCEEDED":
        click.echo(f"error: {run.state}: {run.error}", err=True)
        sys.exit(1)


def project_of(deployment: "Deployment", given: str | None) -> str:
    """The project to work in.

    Raises:
        InputError: nobody named one.
    """
    from vertex_vllm.errors import InputError

    project = given or deployment.google_cloud.project or os.environ.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise InputError(
            "no project",
            where="google_cloud.project",
            fix="Name one in the config, with --project, or in GOOGLE_CLOUD_PROJECT",
        )
    return project


def submission(deployment: "Deployment", pipeline: str, project: str) -> "Submission":
    """What `submit` sends, as a value."""
    from vertex_vllm.config import default_bucket
    from vertex_vllm.config.pipeline_parameters import parameter_values
    from vertex_vllm.runs.submission import Submission, job_id, run_labels

    region = deployment.google_cloud.region
    bucket = deployment.google_cloud.bucket or default_bucket(project, region)
    return Submission(
        project=project,
        region=region,
        spec=Path(__file__).resolve().parents[2] / "compiled" / f"{pipeline}.yaml",
        job_id=job_id(pipeline, deployment.name),
        parameters=parameter_values(pipeline, deployment, project),
        pipeline_root=f"gs://{bucket}-runs",
        labels=run_labels(pipeline, deployment.name),
        service_account=deployment.google_cloud.pipeline_service_account,
    )
