"""Runs of the committed deploy spec: submitted, looked at often, and what is left of them."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from google.api_core.retry import Retry
from google.cloud import secretmanager

from localcloud.process import process_table
from tests.chaos.place import REGION
from tests.prepared import PINNED_IMAGE, prepared
from vertex_vllm.cli.submit_command import submission
from vertex_vllm.config import Deployment, load_deployment
from vertex_vllm.labels import STAGE_LABEL
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.project_names import default_bucket
from vertex_vllm.runs.engine import Run
from vertex_vllm.runs.vertex_engine import VertexEngine, pipeline_client, read_run
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client
from vertex_vllm.vertex_ai.endpoints import unfinished_deploys
from vertex_vllm.vertex_ai.find_by_label import every_endpoint, every_model

DEPLOYMENT = "chaos"
FREE = "(not billed)"
TIME_TO_LIVE = timedelta(hours=1)
_CONFIG = Path(__file__).resolve().parents[2] / "configs" / "smollm2-135m-idefics3.yaml"


def make_project(project: str, token: str) -> None:
    """A project with the Hub token in its secret."""
    client = secretmanager.SecretManagerServiceClient()
    secret = client.create_secret(
        parent=f"projects/{project}", secret_id="hf-token", secret={"replication": {"automatic": {}}}
    )
    client.add_secret_version(parent=secret.name, payload={"data": token.encode()})
    prepared(project, REGION)


def deployment(model: str, *, keep_endpoint: bool) -> Deployment:
    named = _configured().model.model_copy(update={"id": model})
    return _configured().model_copy(update={"name": DEPLOYMENT, "model": named, "keep_endpoint": keep_endpoint})


@cache
def _configured() -> Deployment:
    return load_deployment(_CONFIG)


def start(project: str, what: Deployment, run: str, **parameters: Any) -> str:
    """The pipeline job's name."""
    sent = submission(
        what, "deploy", project, {"ttl": f"{TIME_TO_LIVE // timedelta(hours=1)}h", "min_exact_match": 0.0, **parameters}
    )
    return VertexEngine().submit(replace(sent, job_id=run, image=PINNED_IMAGE))


def look(name: str) -> Run:
    return read_run(pipeline_client(REGION).get_pipeline_job(name=name, retry=Retry(timeout=60)))


def remove(project: str) -> None:
    """Deletes the resources that a run has kept on purpose."""
    teardown(project, REGION, DEPLOYMENT)


def has_promoted(project: str) -> bool:
    """Whether an endpoint exists that is live or superseded."""
    return any(STAGE_LABEL in endpoint.labels for endpoint in every_endpoint(endpoint_client(REGION), project, REGION))


def left(project: str) -> tuple[str, ...]:
    """Resources of a project: endpoints, Models, active deploys, model servers. Free ones are marked as not billed."""
    found = []
    client = endpoint_client(REGION)
    for endpoint in every_endpoint(client, project, REGION):
        count = len(endpoint.deployed_models)
        found.append(f"{endpoint.name} with {count} deployed models" if count else f"{endpoint.name} {FREE}")
        found += unfinished_deploys(client, endpoint.name)
    found += [f"{model.name} {FREE}" for model in every_model(model_client(REGION), project, REGION)]
    servers = [
        each
        for each in process_table.started_with(f"gs://{default_bucket(project, REGION)}/")
        if "model_server.py" in each
    ]
    return (*found, *(server[:80] for server in servers))
