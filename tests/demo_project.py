"""Projects in which tests run the shipped specs, and the deployments of real vLLM that all tests share.

`demo_project` has the demo's models, served by real vLLM. `small_project` has a repository of some hundred kilobytes,
served by the small model server, for tests in which the engine is not the subject. On a real project (`make
test-cloud`) both are the same.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPIError
from google.cloud import secretmanager

from localcloud.daemon import Connection
from tests.canary import Commands, new_canary, watched_processes
from tests.chaos.repository import write_repository
from tests.prepared import prepared
from tests.real_cloud import ACCELERATOR_COUNT, ACCELERATOR_TYPE, MACHINE_TYPE, REAL
from tests.vertex_vllm.served_models import TAGGED_IMAGE, teach
from vertex_vllm.cli.sending import with_image
from vertex_vllm.cli.submit_command import submission
from vertex_vllm.config import Deployment, load_deployment
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.local.demo_models import build
from vertex_vllm.local.serving_runtime import ensure_runtime
from vertex_vllm.runs.engine import Run
from vertex_vllm.runs.submission import Submission
from vertex_vllm.runs.vertex_engine import VertexEngine

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = 15  # A question of each category.
IMAGE_QUESTIONS = 3  # Their answers are not looked at.
LOAD_REQUESTS = 4
REGION = REAL.region if REAL else "us-central1"
TEXT_CONFIG, IMAGE_CONFIG = "smollm2-135m-instruct", "smollm2-135m-idefics3"

# Hours that the shared text model serves on a real project, and the moment when the hours of all tests are over.
SERVED_HOURS = 1.5
_DEADLINE: list[float] = []


def allow_hours(hours: float) -> None:
    """Sets a limit: a run that rents a machine fails its test when `hours` are over."""
    _DEADLINE.append(time.monotonic() + 3600 * hours)


def _within_the_hours(run: Run) -> None:
    renting = any(step.name == "deploy-model" and step.state in ("RUNNING", "SUCCEEDED") for step in run.steps)
    if renting and _DEADLINE and time.monotonic() > _DEADLINE[0]:
        pytest.fail("the hours that the budget was computed for are over")


@dataclass
class DemoProject:
    """A project whose Hub token may read its gated model."""

    id: str
    token: str
    gated: str
    small_model: str = ""
    """Repository in the place of the text model's; if set, the small model server runs in the place of vLLM."""
    runs: list[str] = field(default_factory=list)
    deployments: set[str] = field(default_factory=set)

    def deployment(self, name: str = TEXT_CONFIG) -> Deployment:
        """The config of that name with fewer questions; on a real project renamed, on the cheapest machine."""
        configured = load_deployment(ROOT / "configs" / f"{name}.yaml")
        few = configured.evaluation.model_copy(
            update={
                "items": IMAGE_QUESTIONS if name == IMAGE_CONFIG else QUESTIONS,
                "load": configured.evaluation.load.model_copy(update={"requests": LOAD_REQUESTS}),
            }
        )
        configured = configured.model_copy(update={"evaluation": few})
        if self.small_model:
            return _served_by_the_model_server(configured, self.small_model)
        return _of_the_tests(configured) if REAL else configured

    def own_deployment(self, prefix: str, **changes: Any) -> Deployment:
        """The text model's config under a name that no other test uses."""
        return self.deployment().model_copy(update={"name": f"{prefix}-{uuid.uuid4().hex[:6]}", **changes})

    def submission(self, pipeline: str, deployment: Deployment, **parameters: Any) -> Submission:
        return with_image(submission(deployment, pipeline, self.id, parameters))

    def run(self, pipeline: str, deployment: Deployment, **parameters: Any) -> Run:
        """Submits compiled/<pipeline>.yaml with the config's parameters, some replaced, and waits for its end."""
        self.deployments.add(deployment.name)
        name = VertexEngine().submit(self.submission(pipeline, deployment, **parameters))
        self.runs.append(name)
        try:
            return VertexEngine().watch(name, _within_the_hours)
        except BaseException:  # Ctrl-C, too: the run would continue unwatched
            with suppress(GoogleAPIError):  # it may have ended meanwhile
                VertexEngine().cancel(name)
            raise


def _of_the_tests(deployment: Deployment) -> Deployment:
    """The deployment under a name of the tests, on the machine whose price is known."""
    machine = {
        "machine_type": MACHINE_TYPE,
        "accelerator_type": ACCELERATOR_TYPE,
        "accelerator_count": ACCELERATOR_COUNT,
    }
    return deployment.model_copy(
        update={
            "name": f"vertex-vllm-tests-{deployment.name}"[:40],
            "serving": deployment.serving.model_copy(update=machine),
            "google_cloud": deployment.google_cloud.model_copy(update={"region": REGION}),
        }
    )


def _served_by_the_model_server(deployment: Deployment, model_id: str) -> Deployment:
    evaluation = deployment.evaluation
    no_gate = evaluation.thresholds.model_copy(update={"min_exact_match": 0.0})
    return deployment.model_copy(
        update={
            "model": deployment.model.model_copy(update={"id": model_id}),
            "serving": deployment.serving.model_copy(update={"image": TAGGED_IMAGE, "extra_args": []}),
            "evaluation": evaluation.model_copy(update={"thresholds": no_gate}),
        }
    )


def with_flags(cloud: Connection, deployment: Deployment, *flags: str) -> Deployment:
    """The deployment with an image of its own, for which the model server runs with these flags."""
    image = f"us-docker.pkg.dev/tests/images/model-server:{uuid.uuid4().hex}"
    teach(cloud, image, *flags)
    return deployment.model_copy(update={"serving": deployment.serving.model_copy(update={"image": image})})


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """The command lines of all processes that run on this machine during the session."""
    with watched_processes() as seen:
        yield seen


@pytest.fixture(scope="session")
def demo_project(request: pytest.FixtureRequest) -> Iterator[DemoProject]:
    """The demo's models and real vLLM. On a real project, everything that tests deployed is torn down at the end."""
    project = _real_project() if REAL else _vllm_project(request)
    try:
        yield project
    finally:
        for deployment in sorted(project.deployments) if REAL else ():  # without waiting for a pipeline
            teardown(project.id, REGION, deployment)


def _vllm_project(request: pytest.FixtureRequest) -> DemoProject:
    request.getfixturevalue("commands")  # before the first run that uses the token
    ensure_runtime()
    return _local_project(
        request.getfixturevalue("cloud"),
        folders=build.ensure(),
        gated=load_deployment(ROOT / "configs" / f"{IMAGE_CONFIG}.yaml").model.id,
    )


@pytest.fixture(scope="session")
def small_project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DemoProject:
    """A repository of some hundred kilobytes, once open and once gated, and the small model server."""
    if REAL:
        project: DemoProject = request.getfixturevalue("demo_project")
        return project
    cloud: Connection = request.getfixturevalue("cloud")
    folder = tmp_path_factory.mktemp("small") / "repository"
    write_repository(folder, large=False)
    teach(cloud, TAGGED_IMAGE)
    owner = f"small-{uuid.uuid4().hex[:8]}"
    folders = {f"{owner}/open": folder, f"{owner}/gated": folder}
    return _local_project(cloud, folders, gated=f"{owner}/gated", small_model=f"{owner}/open")


def _real_project() -> DemoProject:
    assert REAL is not None
    return DemoProject(REAL.id, "", "")


def _local_project(cloud: Connection, folders: dict[str, Path], gated: str, small_model: str = "") -> DemoProject:
    project = DemoProject(f"e2e-{uuid.uuid4().hex[:8]}", new_canary(), gated, small_model)
    for model_id, path in folders.items():
        cloud.admin("PUT", "/_local/hub/repos", {"id": model_id, "path": str(path), "gated": model_id == gated})
    digest = hashlib.sha256(project.token.encode()).hexdigest()
    cloud.admin("PUT", "/_local/hub/tokens", {"sha256": digest, "user": "e2e", "granted": [gated]})
    client = secretmanager.SecretManagerServiceClient()
    secret = client.create_secret(
        parent=f"projects/{project.id}", secret_id="hf-token", secret={"replication": {"automatic": {}}}
    )
    client.add_secret_version(parent=secret.name, payload={"data": project.token.encode()})
    prepared(project.id, REGION)
    return project


@dataclass(frozen=True)
class Served:
    """A deployment that a run of the shipped spec has created and kept."""

    project: DemoProject
    deployment: Deployment
    run: Run
    endpoint: str
    model: str


Serve = Callable[[str], Served]


def serve(project: DemoProject, deployment: Deployment) -> Served:
    run = project.run("deploy", deployment, keep_endpoint=True)
    assert run.state == "SUCCEEDED", [(step.name, step.state, step.error) for step in run.steps]
    endpoint, model = run.output("deploy-model", "endpoint"), run.output("upload-model", "model")
    assert endpoint is not None
    assert model is not None
    return Served(project, deployment, run, endpoint.metadata["resourceName"], model.metadata["resourceName"])


def _served(project: DemoProject, deployment: Deployment) -> Iterator[Served]:
    served = serve(project, deployment)
    try:
        yield served
    finally:
        project.run("teardown", served.deployment)


@pytest.fixture(scope="session")
def served_text(demo_project: DemoProject) -> Iterator[Served]:
    """The text model, served by real vLLM, started once for all tests that only send it requests."""
    yield from _served(demo_project, demo_project.deployment(TEXT_CONFIG))


@pytest.fixture(scope="session")
def served_image(demo_project: DemoProject) -> Iterator[Served]:
    """The gated image+text model, served by real vLLM."""
    yield from _served(demo_project, demo_project.deployment(IMAGE_CONFIG))


@pytest.fixture(scope="session")
def served_small(small_project: DemoProject) -> Iterator[Served]:
    """The small repository, served by the small model server."""
    yield from _served(small_project, small_project.own_deployment("small"))
