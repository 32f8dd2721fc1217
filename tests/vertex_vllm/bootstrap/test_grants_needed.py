"""Each account works with all the grants of bootstrap, and not without any one; docs/security.md names each refusal.

`make grants-tried` writes the permissions that were refused into vertex_vllm/bootstrap/grant_refusals.yaml.
"""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.devtools import cloudbuild_v1
from google.protobuf import json_format

from localcloud.core.permissions.permission_table import known_permissions
from localcloud.daemon import Connection
from tests.federation import federated, key_set, workflow_token
from tests.identity import acting_as
from tests.prepared import prepared
from tests.vertex_vllm.mirror.test_signed_mirror import kms_key
from tests.vertex_vllm.served_models import REGION, serving_plan, teach
from tests.waiting import PATIENCE_SECONDS
from vertex_vllm.bootstrap.grants import REFUSALS, GrantRow, grant_rows, refusals
from vertex_vllm.bootstrap.making import make, project_number, revoke
from vertex_vllm.bootstrap.required_setup import Settings, grants_by_row, wanted
from vertex_vllm.bootstrap.session import Session, authorized_session
from vertex_vllm.bootstrap.setup_steps import Grant
from vertex_vllm.errors import VertexVllmError
from vertex_vllm.google.deployment_bucket import setup_bucket
from vertex_vllm.google.image_registry import by_digest
from vertex_vllm.google.secret_manager import read_secret
from vertex_vllm.labels import Owner
from vertex_vllm.lifecycle.promotion import promote_endpoint
from vertex_vllm.lifecycle.sweep import require_clean, sweep
from vertex_vllm.lifecycle.teardown import teardown
from vertex_vllm.mirror.signing_keys import signing_key
from vertex_vllm.project_names import SERVING_ACCOUNT, account_email, default_bucket, runs_bucket, sources_bucket
from vertex_vllm.publishing import building
from vertex_vllm.publishing.building import ImageBuild, build_image
from vertex_vllm.publishing.image_sources import read_sources
from vertex_vllm.serving.deploy import deploy_model
from vertex_vllm.serving.quota_check import check_quotas
from vertex_vllm.serving.upload import upload_model
from vertex_vllm.vertex_ai.container_logs import read_container_logs

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "hf_" + "t" * 34
# The product's own errors end with the command to run, or with the service's message.
REMEDY = re.compile(r"vertex-vllm bootstrap|gcloud .*add-iam-policy-binding|[Gg]rant .*roles/")
RENEW = "RENEW_GRANT_REFUSALS"
# Refusals in which Google names no permission, and the permission that each means.
UNNAMED = {
    "do not have permission to act as": "iam.serviceAccounts.actAs",
    "permission to write logs to Cloud Logging": "logging.logEntries.create",
}


class Place:
    """A project that bootstrap has prepared, for CI on GitHub and on Cloud Build, with a token in its secret."""

    def __init__(self, cloud: Connection, folder: Path) -> None:
        self.cloud = cloud
        self.id = prepared(f"grants-{uuid.uuid4().hex[:10]}")
        self.session: Session = authorized_session()
        self.key = kms_key(self.id)
        number = project_number(self.session, self.id)
        self.settings = Settings(self.id, number, REGION, "1", "2", cloud_build=True, signing_key=self.key)
        for step in wanted(self.settings):
            make(self.session, step, TOKEN)
        self.workflow_token = folder / "workflow-token"
        self.workflow_token.write_text(workflow_token(self.settings.identity_provider))
        provider: Any = self.session
        url = f"https://iam.googleapis.com/v1/{self.settings.identity_provider}?updateMask=oidc.jwksJson"
        provider.patch(url, json={"oidc": {"jwksJson": key_set()}}).raise_for_status()

    def grant(self, row: GrantRow) -> Grant:
        return next(grant for each, grant in grants_by_row(self.settings) if each == row)

    def account(self, name: str) -> str:
        return self.settings.account(f"vertex-vllm-{name}")


@pytest.fixture(scope="module")
def place(cloud: Connection, tmp_path_factory: pytest.TempPathFactory) -> Place:
    teach(cloud)
    return Place(cloud, tmp_path_factory.mktemp("grants"))


def pipeline(place: Place) -> None:
    """The calls of a run's steps, in their order; Vertex AI's agent lends the container its account."""
    plan = serving_plan(machine_type="g2-standard-8", accelerator_type="NVIDIA_L4", accelerator_count=1)
    owner, bucket = Owner(plan.deployment, "run-1"), default_bucket(place.id, REGION)
    with acting_as(place.cloud, place.account("pipeline")):
        assert read_secret(f"projects/{place.id}/secrets/hf-token/versions/latest") == TOKEN
        setup_bucket(place.id, REGION, bucket, owner, "")
        for name in (bucket, runs_bucket(place.id, REGION)):
            storage.Client(project=place.id).bucket(name).blob("models/x").upload_from_string("x")
        signing_key(place.key).sign(b"a manifest")
        by_digest(f"{building.steps_image(place.id, REGION)}:{building.LATEST}")
        check_quotas(place.id, plan)
        model = upload_model(place.id, plan, f"gs://{bucket}/models", owner)
        endpoint = deploy_model(place.id, plan, model, owner, account_email(SERVING_ACCOUNT, place.id), 100)
        promote_endpoint(place.id, REGION, endpoint, model, owner)
        read_container_logs(endpoint, datetime.now(UTC))
        teardown(place.id, REGION, plan.deployment)
        require_clean(sweep(place.id, [REGION], dry_run=False))


def serving(place: Place) -> None:
    """A container reads its weights."""
    bucket = default_bucket(place.id, REGION)
    storage.Client(project=place.id).bucket(bucket).blob("models/weights").upload_from_string("w")
    with acting_as(place.cloud, place.account("serving")):
        blob = storage.Client(project=place.id).bucket(bucket).blob("models/weights")
        assert blob.download_as_bytes() == b"w"


def ci(place: Place) -> None:
    """The calls of `ci apply` for one deployment."""
    _submit(place, "mirror", environment=place.cloud.environment_of(place.account("ci")))


def agent(place: Place) -> None:
    """A run; Vertex AI's agent pulls the image of its steps."""
    _submit(place, "teardown", "--wait", environment={})


def _submit(place: Place, pipeline: str, *options: str, environment: dict[str, str]) -> None:
    config = ROOT / "configs" / "smollm2-135m-idefics3.yaml"
    command = ["submit", str(config), "--pipeline", pipeline, "--project", place.id, *options]
    answer = subprocess.run(
        [sys.executable, "-m", "vertex_vllm", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def build(place: Place) -> None:
    """The owner builds the image of new sources; the build runs as its own account."""
    sources = read_sources(ROOT)
    digest = uuid.uuid4().hex * 2
    bucket = sources_bucket(place.id, REGION)
    build_image(ImageBuild(place.id, REGION, bucket, digest, place.account("build")), sources.archive)


def triggered(place: Place, account: str) -> None:
    """The build of cloudbuild.yaml, as a trigger begins it for a push or for a pull request."""
    text = (ROOT / "cloudbuild.yaml").read_text().replace("${PROJECT_ID}", place.id)
    asked = yaml.safe_load(text.replace("${_SERVICE_ACCOUNT}", place.account(account)))
    request = cloudbuild_v1.types.CreateBuildRequest(parent=f"projects/{place.id}/locations/{REGION}")
    json_format.ParseDict(asked, cloudbuild_v1.types.Build.pb(request.build))
    cloudbuild_v1.CloudBuildClient().create_build(request=request).result(timeout=PATIENCE_SECONDS)


def workflow(place: Place) -> None:
    """A workflow on GitHub acts as CI: it exchanges its token, and looks at the runs' bucket."""
    provider = place.settings.identity_provider
    credentials = federated(provider, place.workflow_token, place.account("ci"))
    storage.Client(project=place.id, credentials=credentials).get_bucket(runs_bucket(place.id, REGION))


def work_of(row: GrantRow) -> Callable[[Place], None]:
    """Work of a grant's account that needs the grant."""
    if row.role == "roles/logging.logWriter" and row.account != "build":
        return lambda place: triggered(place, row.account)
    works: dict[str, Callable[[Place], None]] = {"serving": serving, "ci": ci, "build": build, "github": workflow}
    if row.which == ("agent", "roles/aiplatform.serviceAgent", "project"):
        return agent
    return works.get(row.account, pipeline)


@pytest.mark.parametrize(
    "work",
    [pipeline, serving, ci, pytest.param(agent, marks=pytest.mark.slow), build, workflow],
    ids=lambda work: work.__name__,
)
def test_with_all_of_them_the_work_is_done(place: Place, work: Callable[[Place], None]) -> None:
    work(place)


@pytest.mark.parametrize("account", ["ci", "plan"])
def test_with_all_of_them_a_trigger_s_build_is_done(place: Place, account: str) -> None:
    triggered(place, account)


@pytest.mark.slow
@pytest.mark.parametrize("row", grant_rows(), ids=lambda row: "-".join(row.which).replace("roles/", ""))
def test_without_one_of_them_it_is_refused(place: Place, row: GrantRow, monkeypatch: pytest.MonkeyPatch) -> None:
    # On the real cloud a new account's permissions take a while to apply; here the missing one is never granted.
    monkeypatch.setattr(building, "_PATIENCE_SECONDS", 0.1)
    grant = place.grant(row)
    assert revoke(place.session, grant)
    try:
        with pytest.raises((VertexVllmError, GoogleAPIError, GoogleAuthError, AssertionError)) as refused:
            work_of(row)(place)
    finally:
        make(place.session, grant)
    if isinstance(refused.value, VertexVllmError):
        assert REMEDY.search(str(refused.value)), refused.value
    permission = _refused(str(refused.value))
    if os.environ.get(RENEW):
        _write(row, permission)
    assert refusals().get(row.which) == permission, "run `make grants-tried`, then `make grants-page`"


def _refused(words: str) -> str:
    """The permission that a refusal names, or means."""
    named = [name for name in re.findall(r"[a-z]+\.[A-Za-z.]+\b", words) if name in known_permissions()]
    meant = (permission for text, permission in UNNAMED.items() if text in words)
    return named[0] if named else next(meant, f"none is named: {words}")


def _write(row: GrantRow, permission: str) -> None:
    found = {**refusals(), row.which: permission}
    names = ("account", "role", "resource", "refused")
    rows = [dict(zip(names, (*each.which, found.get(each.which, "")), strict=True)) for each in grant_rows()]
    head = "# The permission that fails without each grant of grants.yaml, on the local cloud: `make grants-tried`.\n"
    REFUSALS.write_text(head + yaml.safe_dump({"refusals": rows}, sort_keys=False, width=200), encoding="utf-8")
    refusals.cache_clear()
