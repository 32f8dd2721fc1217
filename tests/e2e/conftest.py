"""What the end-to-end tests share: the demo's models on the Hub, a secret with a token, and runs of the shipped specs.

Parity: everything here has run on the local cloud only; nothing of it has been checked on Google Cloud yet.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud.daemon import Connection
from localcloud.demo_models import build
from localcloud.runtime import ensure_runtime
from vertex_vllm.cli.submit import submission
from vertex_vllm.config import Deployment, load_deployment
from vertex_vllm.runs.submission import Submission, submit
from vertex_vllm.runs.watching import Run, watch

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-central1"


@dataclass
class DemoProject:
    """A project whose Hub token opens the gated one of the demo's models."""

    id: str
    token: str
    gated: str
    runs: list[str] = field(default_factory=list)

    def deployment(self, name: str) -> Deployment:
        return load_deployment(ROOT / "configs" / f"{name}.yaml")

    def submission(self, pipeline: str, deployment: Deployment, **parameters: Any) -> Submission:
        return submission(deployment, pipeline, self.id, parameters)

    def run(self, pipeline: str, deployment: Deployment, **parameters: Any) -> Run:
        """Submits compiled/<pipeline>.yaml with the config's parameters, some replaced, and waits for its end."""
        name = submit(self.submission(pipeline, deployment, **parameters))
        self.runs.append(name)
        return watch(name, lambda run: None)


@pytest.fixture(scope="session")
def demo_project(cloud: Connection) -> DemoProject:
    from google.cloud import secretmanager

    ensure_runtime()
    project = DemoProject(
        id=f"e2e-{uuid.uuid4().hex[:8]}",
        token=f"hf_canary{uuid.uuid4().hex}",
        gated=load_deployment(ROOT / "configs" / "smollm2-135m-idefics3.yaml").model.id,
    )
    for model_id, path in build.ensure().items():
        cloud.admin("PUT", "/_local/hub/repos", {"id": model_id, "path": str(path), "gated": model_id == project.gated})
    digest = hashlib.sha256(project.token.encode()).hexdigest()
    cloud.admin("PUT", "/_local/hub/tokens", {"sha256": digest, "user": "e2e", "granted": [project.gated]})
    client = secretmanager.SecretManagerServiceClient()
    secret = client.create_secret(
        parent=f"projects/{project.id}", secret_id="hf-token", secret={"replication": {"automatic": {}}}
    )
    client.add_secret_version(parent=secret.name, payload={"data": project.token.encode()})
    return project


@dataclass(frozen=True)
class Served:
    """A deployment that a run of the shipped spec has brought up, and that stays."""

    deployment: Deployment
    run: Run
    endpoint: str
    model: str


Serve = Callable[[str], Served]


def _serve(project: DemoProject, name: str) -> Served:
    deployment = project.deployment(name)
    run = project.run("deploy", deployment, keep_endpoint=True)
    assert run.state == "SUCCEEDED", [(step.name, step.state, step.error) for step in run.steps]
    endpoint, model = run.output("deploy-model", "endpoint"), run.output("upload-model", "model")
    assert endpoint is not None
    assert model is not None
    return Served(deployment, run, endpoint.metadata["resourceName"], model.metadata["resourceName"])


@pytest.fixture(scope="session")
def served_text(demo_project: DemoProject) -> Iterator[Served]:
    """The text model, served by real vLLM."""
    served = _serve(demo_project, "smollm2-135m-instruct")
    yield served
    demo_project.run("teardown", served.deployment)


@pytest.fixture(scope="session")
def served_image(demo_project: DemoProject) -> Iterator[Served]:
    """The gated image+text model, served by real vLLM."""
    served = _serve(demo_project, "smollm2-135m-idefics3")
    yield served
    demo_project.run("teardown", served.deployment)
