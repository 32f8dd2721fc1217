"""A project that is not ready for a run: the error names the first missing resource and the command that creates it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from google.cloud import service_usage_v1, storage

from localcloud.daemon import Connection
from tests.prepared import REGION
from vertex_vllm.bootstrap.readiness import ACT_AS, Need, require_ready
from vertex_vllm.bootstrap.session import Session, authorized_session
from vertex_vllm.errors import InputError
from vertex_vllm.project_names import runs_bucket


@pytest.fixture
def session(cloud: Connection) -> Session:
    return authorized_session()


@pytest.fixture
def need(project: str) -> Need:
    accounts = (f"vertex-vllm-{name}@{project}.iam.gserviceaccount.com" for name in ("pipeline", "serving"))
    return Need(project, REGION, runs_bucket(project, REGION), *accounts, secret=True)


def complaint(session: Session, need: Need) -> str:
    with pytest.raises(InputError) as caught:
        require_ready(session, need)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def disable(project: str, api: str) -> None:
    client = service_usage_v1.ServiceUsageClient()
    client.disable_service(request={"name": f"projects/{project}/services/{api}"}).result()


def test_a_project_that_bootstrap_prepared_is_ready(session: Session, ready_project: str, need: Need) -> None:
    require_ready(session, need)


def test_an_empty_project_is_sent_to_bootstrap(session: Session, need: Need) -> None:
    told = complaint(session, need)
    assert "aiplatform.googleapis.com is not enabled" in told
    assert f"vertex-vllm bootstrap --project {need.project} --region {REGION}" in told


@pytest.mark.parametrize("api", ["aiplatform.googleapis.com", "storage.googleapis.com", "secretmanager.googleapis.com"])
def test_a_disabled_api_is_named(session: Session, ready_project: str, need: Need, api: str) -> None:
    disable(ready_project, api)
    assert f"{api} is not enabled" in complaint(session, need)


def test_a_secret_s_api_is_asked_for_where_a_secret_is_read_alone(
    session: Session, ready_project: str, need: Need
) -> None:
    disable(ready_project, "secretmanager.googleapis.com")
    require_ready(session, replace(need, secret=False))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda need: {"bucket": f"{need.project}-nowhere"}, "no such bucket"),
        (
            lambda need: {"pipeline_account": f"vertex-vllm-other@{need.project}.iam.gserviceaccount.com"},
            "no such service account. Run `vertex-vllm bootstrap",
        ),
        (
            lambda need: {"serving_account": f"of-the-team@{need.project}.iam.gserviceaccount.com"},
            "no such service account. Create it",
        ),
    ],
    ids=["bucket", "pipeline account", "serving account"],
)
def test_a_thing_that_is_not_there_is_named(
    session: Session, ready_project: str, need: Need, change: Callable[[Need], dict[str, str]], words: str
) -> None:
    assert words in complaint(session, replace(need, **change(need)))


def test_a_bucket_of_another_project_is_not_written_to(session: Session, ready_project: str, need: Need) -> None:
    theirs = f"{need.project}-theirs"
    storage.Client(project="another-project").create_bucket(theirs, location=REGION)
    told = complaint(session, replace(need, bucket=theirs))
    assert f"gs://{theirs}: the bucket is another project's" in told


def test_who_may_not_act_as_the_pipeline_s_account_is_told_the_grant(
    cloud: Connection, session: Session, ready_project: str, need: Need
) -> None:
    account = f"projects/{need.project}/serviceAccounts/{need.pipeline_account}"
    cloud.admin("PUT", "/_local/denials", {"permission": ACT_AS, "resource": account, "denied": True})
    told = complaint(session, need)
    assert f"{need.pipeline_account}: {ACT_AS} is denied to " in told
    assert f"gcloud iam service-accounts add-iam-policy-binding {need.pipeline_account} --member=" in told
    assert f"--role=roles/iam.serviceAccountUser --project={need.project}" in told
