"""`vertex-vllm demo`: the main job, on this machine, through the shipped spec."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vertex_vllm.cli.failures import told
from vertex_vllm.plain_text import plain
from vertex_vllm.shipped import shipped

if TYPE_CHECKING:
    from rich.console import Console

    from localcloud.daemon import Connection
    from vertex_vllm.config import Deployment
    from vertex_vllm.runs.engine import Run

PROJECT = "vertex-vllm-demo"
SECRET = "hf-token"
DEMO_CONFIGS = tuple(shipped(f"configs/{name}.yaml") for name in ("smollm2-135m-instruct", "smollm2-135m-idefics3"))


@click.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Folder for an HTML report of each model.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Programs that run in place of container images; see docs/own-containers.md. Default: real vLLM.",
)
def demo(configs: tuple[Path, ...], reports: Path, images: Path | None) -> None:
    """Take two real models from a Hub to served, tested, evaluated and torn-down endpoints, on the local cloud.

    Without CONFIGS: a text model, and a gated image+text model that needs the Hub token.

    Example: vertex-vllm demo configs/smollm2-135m-instruct.yaml
    """
    from rich.console import Console

    from vertex_vllm.cli.local_project import prepare
    from vertex_vllm.config import load_deployment

    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False)
    deployments = [load_deployment(path) for path in configs or DEMO_CONFIGS]
    began = time.monotonic()
    with local_cloud(console, reports, images) as cloud:
        for region in sorted({deployment.google_cloud.region for deployment in deployments}):
            prepare(PROJECT, region)
        console.print("The project is prepared as bootstrap prepares a real one")
        fill_hub(cloud, deployments, console)
        succeeded = True
        for deployment in deployments:
            run = run_pipeline(deployment, console)
            show_outcome(deployment, run, reports, console)
            succeeded = succeeded and run.state == "SUCCEEDED"
        resources = remaining_resources({deployment.google_cloud.region for deployment in deployments})
    processes = remaining_processes(cloud)
    console.rule("[bold]What is left")
    for line in [*resources, *processes] or ["no endpoint, no model, no process"]:
        console.print(line, soft_wrap=True)
    console.print(f"\nThe demo took {time.monotonic() - began:.0f} s.")
    if resources or processes or not succeeded:
        sys.exit(1)


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def local_cloud(console: "Console", reports: Path, images: Path | None) -> Iterator["Connection"]:
    """A temporary local cloud in a folder of its own, to which this process's Google clients are redirected.

    What its containers and pipelines logged stays in `reports` when the demo fails.
    """
    from localcloud import daemon
    from vertex_vllm.cli.local_models import serving_runtime
    from vertex_vllm.local import ADDITIONS

    console.rule("[bold]Setting up")
    serving_runtime(console.print)
    state_dir = Path(tempfile.mkdtemp(prefix="vertex-vllm-demo-"))
    ended_well = False
    try:
        if images:
            shutil.copyfile(images, state_dir / "images.yaml")
        with told(daemon.DaemonError):
            connection = daemon.up(state_dir, project=PROJECT, lifeline=True, additions=ADDITIONS)
        os.environ.update(connection.environment)
        console.print(f"The local cloud is up, pid {connection.pid}")
        yield connection
        ended_well = True
    finally:
        daemon.down(state_dir)
        if not ended_well and (state_dir / "logs").exists():
            shutil.copytree(state_dir / "logs", reports / "demo-logs", dirs_exist_ok=True)
            console.print(f"The logs are in {reports / 'demo-logs'}", soft_wrap=True)
        shutil.rmtree(state_dir, ignore_errors=True)


def fill_hub(cloud: "Connection", deployments: Iterable["Deployment"], console: "Console") -> None:
    """Put the demo's models on the local Hub, gated where the config has a token, and a new token in a secret."""
    from vertex_vllm.cli.local_models import demo_models, put_model, put_token

    gated = [deployment.model.id for deployment in deployments if deployment.hf_token_secret]
    for model_id, folder in demo_models(console.print).items():
        put_model(cloud, model_id, folder, gated=model_id in gated)
        console.print(f"On the Hub: {model_id}{' (gated)' if model_id in gated else ''}")
    put_token(cloud, f"projects/{PROJECT}/secrets/{SECRET}", gated)
    console.print(f"In Secret Manager: the Hub token, as {SECRET}")


def run_pipeline(deployment: "Deployment", console: "Console") -> "Run":
    """Submit compiled/deploy.yaml as anyone would, and show its steps until it has ended; interrupted, cancel it."""
    from vertex_vllm.cli.run_view import RunView
    from vertex_vllm.cli.sending import require_ready, with_image
    from vertex_vllm.cli.submit_command import submission
    from vertex_vllm.runs.vertex_engine import VertexEngine

    console.rule(f"[bold]{deployment.name}: {deployment.model.id}")
    sent = with_image(submission(deployment, "deploy", PROJECT))
    require_ready(sent)
    engine = VertexEngine()
    resource_name = engine.submit(sent)
    console.print(f"Submitted: {resource_name}", soft_wrap=True)
    view = RunView(console)
    try:
        with view.shown():
            return engine.watch(resource_name, view.update)
    except KeyboardInterrupt:
        console.print("Interrupted: cancelling the run; its exit handler removes what it made")
        engine.cancel(resource_name)
        with view.shown():
            engine.watch(resource_name, view.update)
        raise


def show_outcome(deployment: "Deployment", run: "Run", reports: Path, console: "Console") -> None:
    """The answers, the figures, and the report's path; for a failed run, which step failed and why."""
    from rich.markup import escape

    for step in run.steps:
        if step.state == "FAILED" and step.error:
            console.print(f"[bold red]{step.name} failed:[/] {escape(plain(step.error))}", soft_wrap=True)
    for step_name in ("smoke-test-text", "smoke-test-image"):
        for answer in read_json(run, step_name, "answers") or ():
            console.print(f"\n[bold]{answer['prompt']}[/] [dim]({answer['method']}, {answer['seconds']:.1f} s)[/]")
            console.print(plain(answer["text"].strip()), markup=False)
    metrics = run.output("evaluate-endpoint", "metrics")
    if metrics:
        console.print("\n[bold]Evaluation[/]")
        for name, value in sorted(metrics.metadata.items()):
            console.print(f"  {name:<40} {value:.3g}")
    report = run.output("evaluate-endpoint", "report")
    if report:
        reports.mkdir(parents=True, exist_ok=True)
        path = reports / f"{deployment.name}.html"
        path.write_bytes(read_object(report.uri))
        console.print(f"\nReport: {path.resolve()}\n", soft_wrap=True)


def read_object(uri: str) -> bytes:
    from google.cloud import storage

    blob = storage.Blob.from_uri(uri, client=storage.Client(project=PROJECT))
    return bytes(blob.download_as_bytes())


def read_json(run: "Run", step: str, artifact: str) -> Any:
    found = run.output(step, artifact)
    return json.loads(read_object(found.uri)) if found else None


def remaining_resources(regions: Iterable[str]) -> list[str]:
    """Endpoints and models that exist in the demo's project, by name."""
    from vertex_vllm.vertex_ai.clients import endpoint_client, model_client

    left = []
    for region in sorted(regions):
        parent = f"projects/{PROJECT}/locations/{region}"
        left += [endpoint.name for endpoint in endpoint_client(region).list_endpoints(parent=parent)]
        left += [model.name for model in model_client(region).list_models(parent=parent)]
    return left


def remaining_processes(cloud: "Connection") -> list[str]:
    """Processes that the local cloud or its children started: all have the state's folder in their environment."""
    from localcloud.process.process_table import started_with

    return [f"process {process}" for process in started_with(str(cloud.state_dir))]
