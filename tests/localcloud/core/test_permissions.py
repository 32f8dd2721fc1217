"""IAM is enforced: every call has a member, and is refused in Google's words without a grant."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1, artifactregistry_v1, resourcemanager_v3, secretmanager, storage
from google.iam.v1.policy_pb2 import Binding
from google.oauth2.credentials import Credentials

from localcloud.core.permissions.permission_table import known_permissions, methods
from localcloud.core.registration import handler_table
from localcloud.daemon import Connection, RefusedError
from localcloud.services.registry import SERVICES
from tests.accounts import grant, grant_on_bucket, make_account, owner_session

REGION = "us-central1"
_VERTEX = {"client_options": {"api_endpoint": f"{REGION}-aiplatform.googleapis.com"}}


@pytest.fixture
def robot(cloud: Connection, project: str) -> str:
    """A service account without any role."""
    return make_account(project, "some-robot")


@pytest.fixture
def as_robot(cloud: Connection, robot: str) -> Callable[..., Any]:
    """Makes a client of a class with the robot's credentials."""

    def make(client: Any, **options: Any) -> Any:
        return client(credentials=Credentials(cloud.access_token(robot)), **options)

    return make


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_what_nobody_granted_is_refused_with_reason_and_resource(
    as_robot: Callable[..., Any], project: str, robot: str, transport: str
) -> None:
    endpoints = as_robot(aiplatform_v1beta1.EndpointServiceClient, transport=transport, **_VERTEX)
    parent = f"projects/{project}/locations/{REGION}"
    with pytest.raises(exceptions.Forbidden) as refused:
        list(endpoints.list_endpoints(parent=parent))
    assert refused.value.message.endswith(
        f"Permission 'aiplatform.endpoints.list' denied on resource '//aiplatform.googleapis.com/{parent}' "
        "(or it may not exist)."
    )
    assert (refused.value.reason, refused.value.domain) == ("IAM_PERMISSION_DENIED", "aiplatform.googleapis.com")
    assert refused.value.metadata == {"permission": "aiplatform.endpoints.list", "resource": parent}

    grant(project, "roles/aiplatform.viewer", robot)
    assert list(endpoints.list_endpoints(parent=parent)) == []
    with pytest.raises(exceptions.Forbidden, match=r"aiplatform\.endpoints\.create"):
        endpoints.create_endpoint(parent=parent, endpoint={"display_name": "x"})


def test_a_role_on_one_secret_is_none_on_another(as_robot: Callable[..., Any], project: str, robot: str) -> None:
    owner = secretmanager.SecretManagerServiceClient()
    names = []
    for secret_id in ("open", "closed"):
        secret = owner.create_secret(
            parent=f"projects/{project}", secret_id=secret_id, secret={"replication": {"automatic": {}}}
        )
        owner.add_secret_version(parent=secret.name, payload={"data": b"value"})
        names.append(secret.name)
    policy = owner.get_iam_policy(request={"resource": names[0]})
    policy.bindings.append(Binding(role="roles/secretmanager.secretAccessor", members=[f"serviceAccount:{robot}"]))
    owner.set_iam_policy(request={"resource": names[0], "policy": policy})

    client = as_robot(secretmanager.SecretManagerServiceClient)
    assert client.access_secret_version(name=f"{names[0]}/versions/latest").payload.data == b"value"
    with pytest.raises(exceptions.Forbidden, match=r"'secretmanager\.versions\.access' denied for resource"):
        client.access_secret_version(name=f"{names[1]}/versions/latest")
    with pytest.raises(exceptions.Forbidden, match=r"secretmanager\.secrets\.delete"):
        client.delete_secret(name=names[0])


def test_a_condition_on_the_name_bounds_a_role(as_robot: Callable[..., Any], project: str, robot: str) -> None:
    owner = storage.Client(project=project)
    bucket = owner.bucket(f"{project}-bucket")
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    owner.create_bucket(bucket, location=REGION)
    for name in ("models/a", "runs/a"):
        bucket.blob(name).upload_from_string(b"x")
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.version = 3
    expression = f'resource.name.startsWith("projects/_/buckets/{bucket.name}/objects/models/")'
    policy.bindings.append(
        {
            "role": "roles/storage.objectViewer",
            "members": {f"serviceAccount:{robot}"},
            "condition": {"title": "models", "expression": expression},
        }
    )
    bucket.set_iam_policy(policy)
    seen = as_robot(storage.Client, project=project).bucket(bucket.name)
    assert seen.blob("models/a").download_as_bytes() == b"x"
    with pytest.raises(exceptions.Forbidden) as refused:
        seen.blob("runs/a").download_as_bytes()
    words = (
        f"{robot} does not have storage.objects.get access to the Google Cloud Storage object. "
        "Permission 'storage.objects.get' denied on resource (or it may not exist)."
    )
    assert words in refused.value.message


def test_a_custom_role_holds_what_it_names(
    as_robot: Callable[..., Any], project: str, robot: str, cloud: Connection
) -> None:
    roles = f"https://iam.googleapis.com/v1/projects/{project}/roles"
    body = {"roleId": "lister", "role": {"title": "Lister", "includedPermissions": ["aiplatform.models.list"]}}
    made = owner_session().post(roles, json=body)
    assert made.json()["name"] == f"projects/{project}/roles/lister"
    grant(project, f"projects/{project}/roles/lister", robot)
    models = as_robot(aiplatform_v1beta1.ModelServiceClient, **_VERTEX)
    parent = f"projects/{project}/locations/{REGION}"
    assert list(models.list_models(parent=parent)) == []
    with pytest.raises(exceptions.Forbidden, match=r"aiplatform\.models\.get"):
        models.get_model(name=f"{parent}/models/1")


def test_a_role_of_a_repository_lets_read_and_not_write(
    as_robot: Callable[..., Any], project: str, robot: str, cloud: Connection
) -> None:
    owner = artifactregistry_v1.ArtifactRegistryClient()
    parent = f"projects/{project}/locations/{REGION}"
    repository = owner.create_repository(
        parent=parent, repository_id="templates", repository={"format_": "KFP"}
    ).result()
    policy = owner.get_iam_policy(request={"resource": repository.name})
    policy.bindings.append(Binding(role="roles/artifactregistry.reader", members=[f"serviceAccount:{robot}"]))
    owner.set_iam_policy(request={"resource": repository.name, "policy": policy})
    found = as_robot(artifactregistry_v1.ArtifactRegistryClient).get_repository(name=repository.name)
    assert found.name == repository.name
    answer = requests.post(
        f"https://{REGION}-kfp.pkg.dev/{project}/templates",
        files={"content": b"pipelineInfo: {name: x}"},
        headers={"Authorization": f"Bearer {cloud.access_token(robot)}"},
        timeout=20,
    )
    assert answer.status_code == 403
    assert "artifactregistry.repositories.uploadArtifacts" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("serviceAccount:nobody@{project}.iam.gserviceaccount.com", "does not exist"),
        ("serviceAccount:service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com", "does not exist"),
        ("serviceAccount:{number}-compute@developer.gserviceaccount.com", "does not exist"),
        ("group:team@example.com", "no groups"),
        ("domain:example.com", "no domains"),
    ],
)
def test_who_is_not_there_is_granted_nothing(cloud: Connection, project: str, member: str, words: str) -> None:
    client = resourcemanager_v3.ProjectsClient()
    number = client.get_project(name=f"projects/{project}").name.partition("/")[2]
    policy = client.get_iam_policy(resource=f"projects/{project}")
    policy.bindings.append(Binding(role="roles/viewer", members=[member.format(project=project, number=number)]))
    with pytest.raises(exceptions.GoogleAPICallError, match=words):
        client.set_iam_policy(request={"resource": f"projects/{project}", "policy": policy})


def test_an_agent_comes_when_it_is_asked_for_and_compute_s_account_with_its_api(
    cloud: Connection, project: str
) -> None:
    session = owner_session()
    services = f"https://serviceusage.googleapis.com/v1beta1/projects/{project}/services"
    made = session.post(f"{services}/aiplatform.googleapis.com:generateServiceIdentity").json()
    number = resourcemanager_v3.ProjectsClient().get_project(name=f"projects/{project}").name.partition("/")[2]
    agent = f"service-{number}@gcp-sa-aiplatform.iam.gserviceaccount.com"
    assert (made["done"], made["response"]["email"]) == (True, agent)
    grant(project, "roles/viewer", agent)
    session.post(f"https://serviceusage.googleapis.com/v1/projects/{project}/services/compute.googleapis.com:enable")
    grant(project, "roles/viewer", f"{number}-compute@developer.gserviceaccount.com")


def test_who_may_not_have_an_account_s_tokens_is_told_so(
    as_robot: Callable[..., Any], project: str, robot: str, cloud: Connection
) -> None:
    other = make_account(project, "other-robot")
    url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{other}:generateAccessToken"
    headers = {"Authorization": f"Bearer {cloud.access_token(robot)}"}
    refused = requests.post(url, json={}, headers=headers, timeout=20)
    assert refused.json()["error"] == {
        "code": 403,
        "message": "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        "status": "PERMISSION_DENIED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "iam.googleapis.com",
                "metadata": {"permission": "iam.serviceAccounts.getAccessToken"},
            }
        ],
    }
    grant(project, "roles/iam.serviceAccountTokenCreator", robot)
    assert requests.post(url, json={}, headers=headers, timeout=20).json()["accessToken"] == cloud.access_token(other)


def test_objects_are_replaced_by_whoever_may_delete_them(
    as_robot: Callable[..., Any], project: str, robot: str
) -> None:
    owner = storage.Client(project=project)
    bucket = owner.create_bucket(f"{project}-bucket", location=REGION)
    grant_on_bucket(bucket.name, "roles/storage.objectCreator", robot)
    blob = as_robot(storage.Client, project=project).bucket(bucket.name).blob("x")
    blob.upload_from_string(b"first")
    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.delete"):
        blob.upload_from_string(b"second")
    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.get"):
        blob.reload()


def test_nobody_reads_a_bucket_without_a_credential(cloud: Connection, project: str) -> None:
    bucket = storage.Client(project=project).create_bucket(f"{project}-bucket", location=REGION)
    answer = requests.get(f"https://storage.googleapis.com/storage/v1/b/{bucket.name}/o", timeout=20)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == (
        "Anonymous caller does not have storage.objects.list access to the Google Cloud Storage bucket. "
        "Permission 'storage.objects.list' denied on resource (or it may not exist)."
    )


def test_the_default_credential_is_switched(cloud: Connection, project: str, robot: str) -> None:
    with cloud.user(robot), pytest.raises(exceptions.Forbidden):
        resourcemanager_v3.ProjectsClient().get_project(name=f"projects/{project}")
    assert resourcemanager_v3.ProjectsClient().get_project(name=f"projects/{project}").project_id == project
    with pytest.raises(RefusedError, match="does not exist"):
        cloud.switch_user(f"nobody@{project}.iam.gserviceaccount.com")


_SCRIPT = """
import google.auth, json
from google.auth.transport.requests import Request
from google.cloud import storage
credentials, _ = google.auth.default()
credentials.refresh(Request())
try:
    list(storage.Client().list_buckets())
    refused = ""
except Exception as error:
    refused = str(error)
print(json.dumps([credentials.service_account_email, refused]))
"""


def test_a_process_is_who_its_environment_says(cloud: Connection, robot: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", **cloud.environment_of(robot)}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, text=True, check=True)
    email, refused = json.loads(done.stdout)
    assert email == robot
    assert f"{robot} does not have storage.buckets.list access to the Google Cloud project" in refused


@pytest.fixture
def europe_closed(cloud: Connection) -> Iterator[None]:
    cloud.admin("PUT", "/_local/regions", {"region": "europe-west4", "closed": True})
    yield
    cloud.admin("PUT", "/_local/regions", {"region": "europe-west4", "closed": False})


@pytest.mark.parametrize("transport", ["grpc", "rest"])
@pytest.mark.parametrize("region", ["me-central2", "europe-west4"])
def test_a_closed_region_refuses_everybody(
    cloud: Connection, project: str, europe_closed: None, region: str, transport: str
) -> None:
    options = {"api_endpoint": f"{region}-aiplatform.googleapis.com"}
    client = aiplatform_v1beta1.EndpointServiceClient(transport=transport, client_options=options)
    with pytest.raises(exceptions.Forbidden) as refused:
        client.list_endpoints(parent=f"projects/{project}/locations/{region}")
    assert f"Permission denied on 'locations/{region}' (or it may not exist)." in refused.value.message
    assert (refused.value.reason, refused.value.metadata["location"]) == ("LOCATION_POLICY_VIOLATED", region)


def test_every_method_that_is_served_says_what_it_asks_for() -> None:
    handlers = handler_table(service for registered in SERVICES for service in registered.handlers)
    served = {path.rpartition(".")[2] for path in handlers}
    assert served - set(methods()) == set()
    assert {permission for asked in methods().values() for permission in asked.permissions} <= known_permissions()
