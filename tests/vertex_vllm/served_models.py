"""Fixtures that deploy to the local cloud, with `model_server.py` in the place of a vLLM image."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
import yaml
from google.cloud import aiplatform_v1beta1 as vertex

from tests.prepared import with_serving_account
from tests.vertex_vllm import plans
from tests.vertex_vllm.model_server import PROGRAM
from tests.waiting import PATIENCE_SECONDS
from vertex_vllm.labels import Owner
from vertex_vllm.planning.plan import QuotaNeed, ServingPlan
from vertex_vllm.serving.deploy import deploy_model
from vertex_vllm.serving.upload import upload_model
from vertex_vllm.vertex_ai.clients import endpoint_client, model_client
from vertex_vllm.vertex_ai.interruption import Interruption, interruption

REGION = "us-central1"
TAGGED_IMAGE = "us-docker.pkg.dev/tests/images/model-server:1"
IMAGE = f"us-docker.pkg.dev/tests/images/model-server@sha256:{'1' * 64}"
WEIGHTS = "gs://weights/models/org/name/0123abcd"
NEVER_READY = "--healthy-when=/nowhere/at/all"
_COMMAND = ["{python}", PROGRAM]

MakePlan = Callable[..., ServingPlan]


def serving_plan(**changes: Any) -> ServingPlan:
    """A plan for a deployment of its own: no accelerators, and the tests' model server as its image."""
    own: dict[str, Any] = {
        "deployment": f"test-{uuid.uuid4().hex[:8]}",
        "config_hash": uuid.uuid4().hex[:10],
        "model_id": "org/name",
        "commit": "0123abcd",
        "region": REGION,
        "machine_type": "n1-standard-4",
        "accelerator_type": "",
        "accelerator_count": 0,
        "image": IMAGE,
        "args": (),
        "shared_memory_mb": 1024,
        "deployment_timeout_seconds": 1800,
        "request_timeout_seconds": 60,
        "max_model_len": 1024,
        "quota": QuotaNeed("CustomModelServingL4GPUsPerProjectPerRegion", REGION, 1, 1),
    }
    return plans.serving_plan(**{**own, **changes})


@pytest.fixture
def make_plan(cloud: Any) -> MakePlan:
    """Makes plans that the local cloud can serve."""
    teach(cloud)
    return serving_plan


def teach(cloud: Any, image: str = IMAGE, *flags: str) -> None:
    """Tells the local cloud to run the model server, with these flags, for an image, beside what others told it."""
    images = cloud.state_dir / "images.yaml"
    rows = yaml.safe_load(images.read_text())["images"] if images.exists() else []
    row = {"image": image, "command": [*_COMMAND, *flags]}
    if row not in rows:
        images.write_text(yaml.safe_dump({"images": [row, *rows]}))


@contextmanager
def told_to_stop() -> Iterator[Interruption]:
    """As `interruption`, after a SIGTERM."""
    with interruption() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.wait(PATIENCE_SECONDS)
        yield asked


class Vertex:
    """Resources of a project, read from Vertex AI itself, with functions that create them."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.parent = f"projects/{project}/locations/{REGION}"
        self.endpoint_client = endpoint_client(REGION)
        self.model_client = model_client(REGION)

    def endpoints(self) -> list[vertex.Endpoint]:
        return list(self.endpoint_client.list_endpoints(parent=self.parent))

    def endpoint(self, name: str) -> vertex.Endpoint:
        return self.endpoint_client.get_endpoint(name=name)

    def versions(self) -> list[vertex.Model]:
        models = self.model_client.list_models(parent=self.parent)
        return [version for model in models for version in self.model_client.list_model_versions(name=model.name)]

    def operations(self, endpoint_name: str) -> list[Any]:
        return list(self.endpoint_client.list_operations({"name": endpoint_name}).operations)

    def upload(self, plan: ServingPlan, run: str = "run-1", expires: datetime | None = None) -> str:
        return upload_model(self.project, plan, WEIGHTS, Owner(plan.deployment, run, expires=expires))

    def deploy(self, plan: ServingPlan, run: str = "run-1", expires: datetime | None = None, **options: Any) -> str:
        """Uploads and deploys; the endpoint's name."""
        model = self.upload(plan, run, expires)
        options = {"deadline_seconds": 60, **options}
        owner = Owner(plan.deployment, run, expires=expires)
        return deploy_model(self.project, plan, model, owner, "", **options)

    def clear(self) -> None:
        """Undeploys everything, so that no process of the test stays."""
        for endpoint in self.endpoints():
            for operation in self.operations(endpoint.name):
                if not operation.done:
                    self.endpoint_client.cancel_operation({"name": operation.name})
                    self.endpoint_client.wait_operation(
                        {"name": operation.name, "timeout": {"seconds": PATIENCE_SECONDS}}
                    )
            for deployed in self.endpoint(endpoint.name).deployed_models:
                undeployed = self.endpoint_client.undeploy_model(endpoint=endpoint.name, deployed_model_id=deployed.id)
                undeployed.result(timeout=PATIENCE_SECONDS)


@contextmanager
def own_project(cloud: Any) -> Iterator[Vertex]:
    """A new project whose images are the model server, for the tests of a module; cleared at the end."""
    teach(cloud)
    vertex_ai = Vertex(with_serving_account(f"test-{uuid.uuid4().hex[:12]}"))
    yield vertex_ai
    vertex_ai.clear()


@pytest.fixture
def in_vertex(cloud: Any, project: str) -> Iterator[Vertex]:
    vertex_ai = Vertex(with_serving_account(project))
    yield vertex_ai
    vertex_ai.clear()
