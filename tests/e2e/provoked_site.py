"""A project of the local cloud in which real vLLM is deployed with a fault, and then without it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.cloud import storage

from localcloud.daemon import Connection
from tests.accounts import SERVING, grant_on_bucket
from tests.demo_project import ROOT, TEXT_CONFIG
from tests.e2e.provoked import copied, edit_json
from tests.vertex_vllm.served_models import Vertex
from vertex_vllm.catalog import load_catalog
from vertex_vllm.config.config_file import parse_deployment
from vertex_vllm.diagnosis.deployed import diagnose_failure
from vertex_vllm.diagnosis.patch import Patch, case_of, propose
from vertex_vllm.diagnosis.ranking import Cause, Diagnosis
from vertex_vllm.errors import DeploymentError
from vertex_vllm.labels import Owner
from vertex_vllm.model.facts import ModelFacts
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.planning.planner import plan_serving
from vertex_vllm.serving.deploy import deploy_model
from vertex_vllm.serving.pinned_image import with_digest
from vertex_vllm.serving.upload import upload_model

DEADLINE_SECONDS = 900
# Deadlines of deploys that must fail with a ready vLLM: longer ones follow where vLLM was not ready in time.
_NEVER_READY_SECONDS = (120, 240, 480, 960)


@dataclass
class Site:
    """A project of the local cloud with a bucket of weights, and the model that is deployed there."""

    cloud: Connection
    vertex: Vertex
    folder: Path
    source: Path
    facts: ModelFacts
    bucket: str = field(default_factory=lambda: f"weights-{uuid.uuid4().hex[:8]}")

    def weights(self, damage: Callable[[Path], None] | None = None, length: int = 0) -> str:
        """gs:// address of the model's damaged files; `length` other than 0 replaces the context length, in tokens."""
        folder = copied(self.source, self.folder / uuid.uuid4().hex[:6])
        if length:
            edit_json("config.json", max_position_embeddings=length)(folder)
        if damage:
            damage(folder)
        bucket = storage.Client(project=self.vertex.project).bucket(self.bucket)
        for path in folder.iterdir():
            bucket.blob(f"{folder.name}/{path.name}").upload_from_filename(str(path))
        return f"gs://{self.bucket}/{folder.name}"

    def grant(self) -> None:
        account = f"{SERVING}@{self.vertex.project}.iam.gserviceaccount.com"
        grant_on_bucket(self.bucket, "roles/storage.objectViewer", account)

    def deploy(self, plan: ServingPlan, uri: str, deadline_seconds: int = DEADLINE_SECONDS) -> str:
        """Name of the endpoint that serves the plan, its image by the digest that the tag points at."""
        owner, plan = Owner(plan.deployment, "run-1"), with_digest(plan)
        model = upload_model(self.vertex.project, plan, uri, owner)
        return deploy_model(self.vertex.project, plan, model, owner, "", deadline_seconds)

    def never_ready(self, plan: ServingPlan, uri: str) -> Diagnosis:
        """The diagnosis of a deployment that ends at its deadline although its vLLM is ready."""
        for seconds in _NEVER_READY_SECONDS:
            found = self.refused(plan, uri, seconds)
            if found.causes and found.causes[0].rule != "terminated":
                return found
        return found

    def refused(self, plan: ServingPlan, uri: str, deadline_seconds: int = DEADLINE_SECONDS) -> Diagnosis:
        """The diagnosis of a deployment that must fail."""
        since = datetime.now(UTC)
        with pytest.raises(DeploymentError) as raised:
            self.deploy(plan, uri, deadline_seconds)
        return diagnose_failure(raised.value.message, raised.value.where, since)


_BROUGHT_UP: set[tuple[Any, ...]] = set()


def comes_up(site: Site, plan: ServingPlan, weights: Callable[[], str], *what: Any) -> None:
    """Deploys, unless a deployment of the same args and weights (named by `what`) has succeeded in this process."""
    key = (plan.image, plan.args, plan.health_route, *what)
    if key not in _BROUGHT_UP:
        site.deploy(plan, weights())
        site.vertex.clear()
        _BROUGHT_UP.add(key)


def config(arguments: tuple[str, ...] = (), **serving: Any) -> str:
    values = yaml.safe_load((ROOT / "configs" / f"{TEXT_CONFIG}.yaml").read_text())
    kept = values["serving"].pop("extra_args")
    values["name"] = "provoked"
    values["serving"] |= {"extra_args": [*kept, *arguments], **serving}
    return str(yaml.safe_dump(values))


def planned(facts: ModelFacts, arguments: tuple[str, ...] = (), **serving: Any) -> ServingPlan:
    """The plan with arguments, which the planner itself would refuse."""
    plan = plan_serving(facts, parse_deployment(config(**serving), "config.yaml"), load_catalog())
    return replace(plan, args=(*plan.args, *arguments), config_hash=uuid.uuid4().hex[:10])


def patch_of(cause: Cause, facts: ModelFacts, text: str) -> Patch | None:
    return propose(cause, case_of(text, "config.yaml", facts, load_catalog()), text, "config.yaml")


def first(found: Diagnosis) -> Cause:
    assert found.causes, [line.message for line in found.lines]
    return found.causes[0]


def program(cloud: Connection, image: str, command: list[str]) -> None:
    """Tells the local cloud to run this command for an image; it finds the serving runtime as vLLM's images do."""
    images = cloud.state_dir / "images.yaml"
    rows = yaml.safe_load(images.read_text())["images"] if images.exists() else []
    row = {"image": image, "command": command, "variables": ["PYTHONPATH", "VERTEX_VLLM_RUNTIME", "VERTEX_VLLM_CACHE"]}
    images.write_text(yaml.safe_dump({"images": [row, *rows]}))
