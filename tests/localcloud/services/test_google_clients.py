"""Google's own clients reach the local cloud by the environment alone."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import google.auth
import google.auth.exceptions
import google.auth.transport.requests
import pytest
import requests
from google.api_core import exceptions
from google.auth import compute_engine, jwt
from google.cloud import aiplatform_v1, aiplatform_v1beta1, cloudquotas_v1, resourcemanager_v3, secretmanager_v1
from google.oauth2 import service_account

from localcloud.daemon import Connection, DaemonError
from tests.accounts import grant, make_account, owner_session

L4 = "CustomModelServingL4GPUsPerProjectPerRegion"


def test_default_credentials_come_from_the_metadata_server(cloud: Connection) -> None:
    credentials, project = google.auth.default()
    assert isinstance(credentials, compute_engine.Credentials)
    credentials.refresh(google.auth.transport.requests.Request())
    assert project == "local-project"
    assert credentials.service_account_email == "owner@localcloud.example"
    assert credentials.valid


def test_an_identity_token_is_for_its_audience(cloud: Connection) -> None:
    credentials = compute_engine.IDTokenCredentials(
        google.auth.transport.requests.Request(), "https://audience", use_metadata_identity_endpoint=True
    )
    credentials.refresh(google.auth.transport.requests.Request())
    assert jwt.decode(credentials.token, verify=False)["aud"] == "https://audience"


def _metadata(cloud: Connection, path: str, flavor: str = "Google", **query: str) -> requests.Response:
    url = f"http://{cloud.environment['GCE_METADATA_HOST']}/computeMetadata/v1/{path}"
    return requests.get(url, headers={"Metadata-Flavor": flavor}, params=query, timeout=20)


def test_metadata_is_a_tree(cloud: Connection) -> None:
    number = _metadata(cloud, "project/numeric-project-id").text
    email = "owner@localcloud.example"
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    assert _metadata(cloud, "project/project-id").text == "local-project"
    assert _metadata(cloud, "instance/zone").text == f"projects/{number}/zones/us-central1-a"
    assert _metadata(cloud, "instance/region").text == f"projects/{number}/regions/us-central1"
    assert number.isdigit()
    assert _metadata(cloud, "instance/service-accounts/").text == f"default/\n{email}/\n"
    assert _metadata(cloud, "instance/service-accounts/default/", recursive="true").json() == {
        "aliases": ["default"],
        "email": email,
        "scopes": scopes,
    }
    assert _metadata(cloud, "instance/service-accounts/default/scopes").text == f"{scopes[0]}\n"
    assert set(_metadata(cloud, f"instance/service-accounts/{email}/token").json()) == {
        "access_token",
        "expires_in",
        "token_type",
    }


def test_metadata_is_not_for_browsers(cloud: Connection) -> None:
    assert _metadata(cloud, "project/project-id", flavor="").status_code == 403
    assert _metadata(cloud, "project/no-such-thing").status_code == 404


def test_a_key_file_works_too(cloud: Connection, project: str) -> None:
    email = make_account(project, "some-robot")
    session = owner_session()
    keys = f"https://iam.googleapis.com/v1/projects/{project}/serviceAccounts/{email}/keys"
    made = session.post(keys, json={}).json()
    file = json.loads(base64.b64decode(made["privateKeyData"]))
    credentials = service_account.Credentials.from_service_account_info(
        file, scopes=["https://www.googleapis.com/auth/cloud-platform"]
    )
    client = resourcemanager_v3.ProjectsClient(credentials=credentials)
    grant(project, "roles/browser", email)
    assert client.get_project(name=f"projects/{project}").project_id == project
    session.post(f"https://iam.googleapis.com/v1/{made['name']}:disable", json={})
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        credentials.refresh(google.auth.transport.requests.Request())


@pytest.mark.parametrize("transport", ["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def test_a_project_is_found_by_id_and_by_number(cloud: Connection, project: str, transport: str) -> None:
    client = resourcemanager_v3.ProjectsClient(transport=transport)
    by_id = client.get_project(name=f"projects/{project}")
    assert by_id.project_id == project
    assert by_id.state == resourcemanager_v3.Project.State.ACTIVE
    assert client.get_project(name=by_id.name) == by_id
    with pytest.raises(exceptions.Forbidden):
        client.get_project(name="projects/99999999999999")


@pytest.mark.parametrize("transport", ["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def test_a_quota_is_overridden_in_one_project_and_region(cloud: Connection, project: str, transport: str) -> None:
    client = cloudquotas_v1.CloudQuotasClient(transport=transport)
    parent = f"projects/{project}/locations/global/services/aiplatform.googleapis.com"
    default = _limit(client.get_quota_info(name=f"{parent}/quotaInfos/{L4}"), "europe-west4")
    override = {"project": project, "quota_id": L4, "region": "us-central1", "limit": 3}
    cloud.admin("PUT", "/_local/quotas", override)
    info = client.get_quota_info(name=f"{parent}/quotaInfos/{L4}")
    assert (info.quota_id, info.metric) == (L4, "aiplatform.googleapis.com/custom_model_serving_nvidia_l4_gpus")
    assert _limit(info, "us-central1") == 3
    assert _limit(info, "europe-west4") == default
    assert [dict(row.dimensions) for row in info.dimensions_infos] == [{"region": "us-central1"}, {}]
    other = client.get_quota_info(name=f"{parent.replace(project, 'another-project')}/quotaInfos/{L4}")
    assert _limit(other, "us-central1") == default


def _limit(info: cloudquotas_v1.QuotaInfo, region: str) -> int:
    return next(row.details.value for row in info.dimensions_infos if region in row.applicable_locations)


def test_quotas_are_listed_in_pages(cloud: Connection, project: str) -> None:
    parent = f"projects/{project}/locations/global/services/aiplatform.googleapis.com"
    client = cloudquotas_v1.CloudQuotasClient()
    ids = [info.quota_id for info in client.list_quota_infos(request={"parent": parent, "page_size": 5})]
    assert len(ids) == len(set(ids)) == 33
    assert {L4, "CustomModelServingPreemptibleH100GPUsPerProjectPerRegion"} <= set(ids)
    with pytest.raises(exceptions.NotFound):
        client.get_quota_info(name=f"{parent}/quotaInfos/NoSuchQuota")


@pytest.mark.parametrize(
    "change", [{"quota_id": "Nonsense"}, {"region": "mars-north1"}, {"limit": -1}, {"limit": True}, {"more": 1}]
)
def test_a_wrong_override_is_refused(cloud: Connection, project: str, change: dict[str, object]) -> None:
    override = {"project": project, "quota_id": L4, "region": "us-central1", "limit": 3, **change}
    with pytest.raises(DaemonError, match="INVALID_ARGUMENT"):
        cloud.admin("PUT", "/_local/quotas", override)


def test_a_method_without_a_handler_is_unimplemented_over_grpc(cloud: Connection, project: str) -> None:
    parent = f"projects/{project}/locations/us-central1"
    options = {"api_endpoint": "us-central1-aiplatform.googleapis.com"}
    for package in (aiplatform_v1, aiplatform_v1beta1):
        client = package.TensorboardServiceClient(client_options=options)
        with pytest.raises(exceptions.MethodNotImplemented, match=r"TensorboardService\.ListTensorboards"):
            client.list_tensorboards(parent=parent, retry=None)


def test_grpc_without_the_daemons_token_is_refused(cloud: Connection, project: str) -> None:
    credentials = google.oauth2.credentials.Credentials("ya29.stale")
    client = secretmanager_v1.SecretManagerServiceClient(credentials=credentials)
    with pytest.raises(exceptions.Unauthenticated):
        client.get_secret(name=f"projects/{project}/secrets/x", retry=None)


_A_STRANGERS_SCRIPT = """
import json, google.auth
from google.cloud import secretmanager
project = google.auth.default()[1]
client = secretmanager.SecretManagerServiceClient()
print(json.dumps([project, [s.name for s in client.list_secrets(parent=f"projects/{project}")]]))
"""


def test_a_users_own_settings_do_not_lead_elsewhere(cloud: Connection, tmp_path: Path) -> None:
    login = tmp_path / "login.json"
    login.write_text(
        json.dumps({"type": "authorized_user", "client_id": "x", "client_secret": "x", "refresh_token": "x"})
    )
    own = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "GOOGLE_APPLICATION_CREDENTIALS": str(login),
        "GOOGLE_CLOUD_PROJECT": "my-real-project",
        "NO_PROXY": "*",
        "no_grpc_proxy": "googleapis.com",
        "NO_GCE_CHECK": "true",
        "REQUESTS_CA_BUNDLE": "/etc/ssl/none.pem",
        "GOOGLE_API_USE_MTLS_ENDPOINT": "always",
    }
    done = subprocess.run(
        [sys.executable, "-c", _A_STRANGERS_SCRIPT],
        env={**own, **cloud.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["local-project", []]
