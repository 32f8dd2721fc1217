"""One walk through a resource's life, over every transport and version of every API that generated clients speak.

The tests of the services use one transport; here the same calls use all of them: bodies, update masks, long-running
operations, pages and refusals.
"""

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import (
    aiplatform_v1,
    aiplatform_v1beta1,
    artifactregistry_v1,
    cloudquotas_v1,
    cloudquotas_v1beta,
    resourcemanager_v3,
    secretmanager_v1,
    service_usage_v1,
)
from google.cloud.devtools import cloudbuild_v1

from localcloud.daemon import Connection

REGION = "us-central1"
TRANSPORTS = ("grpc", "rest")


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("api", [aiplatform_v1, aiplatform_v1beta1], ids=["v1", "v1beta1"])
def test_an_endpoint_of_vertex_ai(cloud: Connection, project: str, api: Any, transport: str) -> None:
    client = api.EndpointServiceClient(
        transport=transport, client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"}
    )
    parent = f"projects/{project}/locations/{REGION}"
    made = client.create_endpoint(
        parent=parent, endpoint={"display_name": "car", "labels": {"team": "blue"}}, endpoint_id="car"
    )
    assert made.result().name.endswith("/endpoints/car")
    assert made.metadata.generic_metadata.create_time is not None
    name = f"{parent}/endpoints/car"
    client.create_endpoint(parent=parent, endpoint={"display_name": "other"}, endpoint_id="other").result()
    updated = client.update_endpoint(
        endpoint={"name": name, "display_name": "new", "labels": {}}, update_mask={"paths": ["display_name"]}
    )
    assert (updated.display_name, dict(updated.labels)) == ("new", {"team": "blue"})
    listed = client.list_endpoints(request={"parent": parent, "page_size": 1})
    assert sorted(endpoint.display_name for endpoint in listed) == ["new", "other"]
    refusals: list[tuple[Callable[[], Any], tuple[type[Exception], ...]]] = [
        (lambda: client.get_endpoint(name=f"{parent}/endpoints/gone"), (exceptions.NotFound,)),
        (
            lambda: client.create_endpoint(parent=parent, endpoint={"display_name": "x"}, endpoint_id="car"),
            (exceptions.AlreadyExists, exceptions.Conflict),
        ),
        (lambda: client.create_endpoint(parent=parent, endpoint={}), (exceptions.BadRequest,)),
    ]
    for refused, kinds in refusals:
        with pytest.raises(kinds):
            refused()
    client.delete_endpoint(name=name).result()
    assert [endpoint.display_name for endpoint in client.list_endpoints(parent=parent)] == ["other"]


@pytest.mark.parametrize("api", [aiplatform_v1, aiplatform_v1beta1], ids=["v1", "v1beta1"])
def test_a_model_of_vertex_ai(cloud: Connection, project: str, api: Any, transport: str) -> None:
    client = api.ModelServiceClient(
        transport=transport, client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"}
    )
    parent = f"projects/{project}/locations/{REGION}"
    model = {"display_name": "vllm", "container_spec": {"image_uri": "us-docker.pkg.dev/own/containers/server:1"}}
    uploaded = client.upload_model(request={"parent": parent, "model": model, "model_id": "vllm"}).result()
    name = uploaded.model.partition("@")[0]
    assert uploaded.model_version_id == "1"
    merged = client.merge_version_aliases(name=f"{name}@1", version_aliases=["live"])
    assert sorted(merged.version_aliases) == ["default", "live"]
    assert [version.version_id for version in client.list_model_versions(name=name)] == ["1"]
    client.delete_model(name=name).result()
    with pytest.raises(exceptions.NotFound):
        client.get_model(name=name)


def test_a_secret(cloud: Connection, project: str, transport: str) -> None:
    client = secretmanager_v1.SecretManagerServiceClient(transport=transport)
    parent, made = f"projects/{project}", {"replication": {"automatic": {}}}
    secret = client.create_secret(parent=parent, secret_id="token", secret=made)
    version = client.add_secret_version(parent=secret.name, payload={"data": b"\x00\xffbytes"})
    assert client.access_secret_version(name=version.name).payload.data == b"\x00\xffbytes"
    with pytest.raises((exceptions.AlreadyExists, exceptions.Conflict)):
        client.create_secret(parent=parent, secret_id="token", secret=made)
    client.delete_secret(name=secret.name)
    assert list(client.list_secrets(parent=parent)) == []


def test_a_repository(cloud: Connection, project: str, transport: str) -> None:
    client = artifactregistry_v1.ArtifactRegistryClient(transport=transport)
    parent = f"projects/{project}/locations/{REGION}"
    repository = {"format_": artifactregistry_v1.Repository.Format.DOCKER}
    made = client.create_repository(parent=parent, repository_id="images", repository=repository).result()
    assert [found.name for found in client.list_repositories(parent=parent)] == [made.name]
    client.delete_repository(name=made.name).result()
    with pytest.raises(exceptions.NotFound):
        client.get_repository(name=made.name)


def test_other_services(cloud: Connection, project: str, transport: str) -> None:
    projects = resourcemanager_v3.ProjectsClient(transport=transport)
    assert projects.get_project(name=f"projects/{project}").project_id == project
    services = service_usage_v1.ServiceUsageClient(transport=transport)
    service = f"projects/{project}/services/run.googleapis.com"
    assert services.enable_service(request={"name": service}).result().service.name.endswith("run.googleapis.com")
    builds = cloudbuild_v1.CloudBuildClient(transport=transport)
    assert list(builds.list_builds(project_id=project)) == []
    with pytest.raises(exceptions.NotFound):
        builds.get_build(project_id=project, id="gone")


@pytest.mark.parametrize("api", [cloudquotas_v1, cloudquotas_v1beta], ids=["v1", "v1beta"])
def test_a_quota_and_what_is_asked_of_it(project: str, api: Any, transport: str) -> None:
    client = api.CloudQuotasClient(transport=transport)
    service, quota = "aiplatform.googleapis.com", "CustomModelServingL4GPUsPerProjectPerRegion"
    parent = f"projects/{project}/locations/global"
    assert client.get_quota_info(name=f"{parent}/services/{service}/quotaInfos/{quota}").quota_id == quota
    preference = {
        "service": service,
        "quota_id": quota,
        "dimensions": {"region": "europe-west4"},
        "quota_config": {"preferred_value": 1},
    }
    made = client.create_quota_preference(parent=parent, quota_preference=preference, quota_preference_id="l4")
    assert made.quota_config.granted_value == 1
    assert list(client.list_quota_preferences(parent=parent)) == [made]
    with pytest.raises(exceptions.NotFound):
        client.get_quota_preference(name=f"{parent}/quotaPreferences/gone")


def test_a_method_of_a_beta_that_is_not_served_is_named(project: str, transport: str) -> None:
    client = cloudquotas_v1beta.QuotaAdjusterSettingsManagerClient(transport=transport)
    with pytest.raises(exceptions.MethodNotImplemented, match="GetQuotaAdjusterSettings"):
        client.get_quota_adjuster_settings(name=f"projects/{project}/locations/global/quotaAdjusterSettings")
