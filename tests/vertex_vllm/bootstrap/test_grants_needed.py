"""Each account works with all the grants of bootstrap, and not without any one that the local cloud asks for."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.api_core.exceptions import GoogleAPIError
from google.cloud import storage

from localcloud.daemon import Connection
from tests.prepared import prepared
from tests.vertex_vllm.served_models import REGION, serving_plan, teach
from vertex_vllm.bootstrap.grants import GrantRow, grant_rows
from vertex_vllm.bootstrap.making import make, project_number, revoke
from vertex_vllm.bootstrap.resources import Grant, SecretValue
from vertex_vllm.bootstrap.session import Session, authorized_session
from vertex_vllm.bootstrap.wanted import Settings, wanted
from vertex_vllm.config import default_bucket, runs_bucket
from vertex_vllm.config.names import SERVING_ACCOUNT, account_email
from vertex_vllm.container_logs import read_container_logs
from vertex_vllm.errors import VertexVllmError
from vertex_vllm.lifecycle.ownership import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.lifecycle.sweep import require_clean, sweep
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.publishing import building
from vertex_vllm.publishing.building import ImageBuild, build_image
from vertex_vllm.publishing.sources import read_sources
from vertex_vllm.quota import _client as quota_client
from vertex_vllm.quota import check_quotas
from vertex_vllm.secrets import read_secret
from vertex_vllm.serving.deploy import deploy_model
from vertex_vllm.serving.upload import upload_model
from vertex_vllm.storage import setup_bucket

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "hf_" + "t" * 34
# The local cloud asks these of nobody: writing logs, who a workflow on GitHub is, the work of Vertex AI itself.
UNASKED = {("build", "roles/logging.logWriter"), ("ci", "roles/logging.logWriter"), ("plan", "roles/logging.logWriter")}
UNASKED |= {("github", "roles/iam.workloadIdentityUser")}
UNASKED |= {("agent", "roles/iam.serviceAccountAdmin"), ("agent", "roles/aiplatform.serviceAgent")}
REFUSED = re.compile("denied|does not have|lack|may not|permission", re.IGNORECASE)
ROWS = [row for row in grant_rows() if (row.account, row.role) not in UNASKED]


class Place:
    """A project that bootstrap has prepared, with a token in its secret."""

    def __init__(self, cloud: Connection) -> None:
        self.cloud = cloud
        self.id = prepared(f"grants-{uuid.uuid4().hex[:10]}")
        self.session: Session = authorized_session()
        self.settings = Settings(self.id, project_number(self.session, self.id), REGION)
        for step in wanted(self.settings):
            if isinstance(step, SecretValue):
                make(self.session, step, TOKEN)

    def grant(self, row: GrantRow) -> Grant:
        grants = [step for step in wanted(self.settings) if isinstance(step, Grant)]
        return grants[[each for each in grant_rows() if each.when in self.settings.asked].index(row)]

    def account(self, name: str) -> str:
        return self.settings.account(f"vertex-vllm-{name}")


@pytest.fixture(scope="module")
def place(cloud: Connection) -> Place:
    teach(cloud)
    return Place(cloud)


def pipeline(place: Place) -> None:
    """The calls of a run's steps, in their order."""
    plan = serving_plan(machine_type="g2-standard-8", accelerator_type="NVIDIA_L4", accelerator_count=1)
    owner, bucket = Owner(plan.deployment, "run-1"), default_bucket(place.id, REGION)
    with place.cloud.user(place.account("pipeline")):
        quota_client.cache_clear()
        assert read_secret(f"projects/{place.id}/secrets/hf-token/versions/latest") == TOKEN
        setup_bucket(place.id, REGION, bucket, owner, "")
        for name in (bucket, runs_bucket(place.id, REGION)):
            storage.Client(project=place.id).bucket(name).blob("models/x").upload_from_string("x")
        check_quotas(place.id, plan)
        model = upload_model(place.id, plan, f"gs://{bucket}/models", owner)
        endpoint = deploy_model(place.id, plan, model, owner, account_email(SERVING_ACCOUNT, place.id), 100)
        promote_endpoint(place.id, REGION, endpoint, model, owner)
        read_container_logs(endpoint, datetime.now(UTC))
        teardown(place.id, REGION, plan.deployment)
        require_clean(sweep(place.id, [REGION], dry_run=False))


def ci(place: Place) -> None:
    """The calls of `ci apply` for one deployment."""
    config = ROOT / "configs" / "smollm2-135m-idefics3.yaml"
    command = ["submit", str(config), "--pipeline", "mirror", "--project", place.id]
    answer = subprocess.run(
        [sys.executable, "-m", "vertex_vllm", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **place.cloud.environment_of(place.account("ci"))},
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stderr


def build(place: Place) -> None:
    """The image of sources that nobody has built, by the owner, who has the build done as its account."""
    sources = read_sources(ROOT)
    digest = uuid.uuid4().hex * 2
    bucket = runs_bucket(place.id, REGION)
    build_image(ImageBuild(place.id, REGION, bucket, digest, place.account("build")), sources.archive)


WORK: dict[str, Callable[[Place], None]] = {"pipeline": pipeline, "serving": pipeline, "ci": ci, "build": build}


@pytest.mark.parametrize("work", [pipeline, ci, build], ids=lambda work: work.__name__)
def test_with_all_of_them_the_work_is_done(place: Place, work: Callable[[Place], None]) -> None:
    work(place)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.account}-{row.role.rpartition('/')[2]}-{row.resource}")
def test_without_one_of_them_it_is_refused(place: Place, row: GrantRow, monkeypatch: pytest.MonkeyPatch) -> None:
    # A new account's permissions take a while on the real cloud; here the missing one never comes.
    monkeypatch.setattr(building, "_PATIENCE_SECONDS", 0.1)
    grant = place.grant(row)
    assert revoke(place.session, grant)
    try:
        with pytest.raises((VertexVllmError, GoogleAPIError, AssertionError), match=REFUSED):
            WORK[row.account](place)
    finally:
        make(place.session, grant)
