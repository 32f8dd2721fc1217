"""What the end-to-end tests share: the demo's models on the Hub, a secret with a token, and runs of the shipped specs.

Every test is marked with what is known of its parity: `parity("checked on the cloud")`, `parity("not yet")` or
`parity("local cloud only")`. `make test-cloud` runs the first two on a real project; `machine_hours` bounds what a test
rents there.
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

from localcloud.daemon import Connection
from localcloud.demo_models import build
from localcloud.runtime import ensure_runtime
from tests.canary import Commands, watched_processes
from tests.prepared import prepared
from tests.real_cloud import (
    ACCELERATOR_COUNT,
    ACCELERATOR_TYPE,
    MACHINE_TYPE,
    PARITY,
    REAL,
    RefusedError,
    check_budget,
)
from vertex_vllm.cli.sending import with_image
from vertex_vllm.cli.submit import submission
from vertex_vllm.config import Deployment, load_deployment
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.runs.submission import Submission, submit
from vertex_vllm.runs.watching import Run, cancel, watch

ROOT = Path(__file__).resolve().parents[2]
REGION = REAL.region if REAL else "us-central1"

# What stands as long as tests ask it, on a real project.
_SERVED_HOURS = 1.5
_DEADLINE: list[float] = []


@pytest.hookimpl(trylast=True)  # after -k and -m have taken theirs away
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Which tests run where, and whether what they may rent is within the budget: before any of them starts."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        marker = item.get_closest_marker("parity")
        if marker is None or marker.args not in [(state,) for state in PARITY]:
            raise pytest.UsageError(f"{item.nodeid}: mark it as parity(…), one of: {', '.join(PARITY)}")
    # It looks at what the others have left.
    last = sorted(ours, key=lambda item: item.path.name == "test_token_scan.py")
    for position, item in zip([items.index(item) for item in ours], last, strict=True):
        items[position] = item
    if REAL is None:
        return
    kept = [item for item in ours if _parity(item).args != ("local cloud only",)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    hours = sum(_parity(item).kwargs.get("machine_hours", 0.0) for item in kept)
    hours += _SERVED_HOURS * any("served_text" in getattr(item, "fixturenames", ()) for item in kept)
    try:
        told = check_budget(REAL, hours)
    except RefusedError as error:
        raise pytest.UsageError(str(error)) from None
    print(f"On {REAL.id} in {REAL.region}, {told}")
    # The runs of tests that rent nothing take their time, too; nothing stays rented beyond this.
    _DEADLINE.append(time.monotonic() + 3600 * hours)


def _parity(item: pytest.Item) -> pytest.Mark:
    marker = item.get_closest_marker("parity")
    assert marker is not None
    return marker


def _within_the_hours(run: Run) -> None:
    renting = any(step.name == "deploy-model" and step.state in ("RUNNING", "SUCCEEDED") for step in run.steps)
    if renting and _DEADLINE and time.monotonic() > _DEADLINE[0]:
        pytest.fail("the hours that the budget was computed for are over")


@dataclass
class DemoProject:
    """A project whose Hub token opens the gated one of the demo's models."""

    id: str
    token: str
    gated: str
    runs: list[str] = field(default_factory=list)

    deployments: set[str] = field(default_factory=set)

    def deployment(self, name: str) -> Deployment:
        configured = load_deployment(ROOT / "configs" / f"{name}.yaml")
        return _of_the_tests(configured) if REAL else configured

    def submission(self, pipeline: str, deployment: Deployment, **parameters: Any) -> Submission:
        return with_image(submission(deployment, pipeline, self.id, parameters))

    def run(self, pipeline: str, deployment: Deployment, **parameters: Any) -> Run:
        """Submits compiled/<pipeline>.yaml with the config's parameters, some replaced, and waits for its end."""
        self.deployments.add(deployment.name)
        name = submit(self.submission(pipeline, deployment, **parameters))
        self.runs.append(name)
        try:
            return watch(name, _within_the_hours)
        except BaseException:  # Ctrl-C, too: nothing goes on that nobody watches
            with suppress(GoogleAPIError):  # it may have ended meanwhile
                cancel(name)
            raise


def _of_the_tests(deployment: Deployment) -> Deployment:
    """Under a name that nobody's own deployment has, on the machine whose price is known."""
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


@pytest.fixture(scope="session")
def demo_project(request: pytest.FixtureRequest) -> Iterator[DemoProject]:
    """Whatever its tests deployed is torn down in the end, on a real project without waiting for a pipeline."""
    project = DemoProject(REAL.id, "", "") if REAL else _local_project(request.getfixturevalue("cloud"))
    try:
        yield project
    finally:
        if REAL:
            for deployment in sorted(project.deployments):
                teardown(REAL.id, REAL.region, deployment)


def _local_project(cloud: Connection) -> DemoProject:
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
    prepared(project.id, REGION)
    return project


@dataclass(frozen=True)
class Served:
    """A deployment that a run of the shipped spec has brought up, and that stays."""

    deployment: Deployment
    run: Run
    endpoint: str
    model: str


@pytest.fixture(scope="session", autouse=True)
def commands() -> Iterator[Commands]:
    """What was started on this machine while these tests ran."""
    with watched_processes() as seen:
        yield seen


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
    try:
        yield served
    finally:
        demo_project.run("teardown", served.deployment)


@pytest.fixture(scope="session")
def served_image(demo_project: DemoProject) -> Iterator[Served]:
    """The gated image+text model, served by real vLLM."""
    served = _serve(demo_project, "smollm2-135m-idefics3")
    yield served
    demo_project.run("teardown", served.deployment)
