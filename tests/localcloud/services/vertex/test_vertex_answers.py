"""Forms of Vertex AI's answers that recordings of the real service showed."""

from typing import Any

import pytest
from echo_deployments import create_endpoint
from google.api_core import exceptions


def test_an_uploaded_model_says_what_can_be_done_with_it(rest: Any, parent: str) -> None:
    def uploaded(**fields: Any) -> dict[str, Any]:
        operation = rest.post(f"/v1/{parent}/models:upload", json={"model": {"displayName": "car", **fields}}).json()
        read: dict[str, Any] = rest.get(f"/v1/{operation['response']['model']}").json()
        return read

    bare, stored = uploaded(), uploaded(containerSpec={"imageUri": "gcr.io/p/i:1"}, artifactUri="gs://bucket/car")

    told = ("supportedDeploymentResourcesTypes", "supportedExportFormats", "modelSourceInfo")
    assert [bare[name] for name in told] == [
        ["DEDICATED_RESOURCES"],
        [{"id": "custom-trained"}],
        {"sourceType": "CUSTOM"},
    ]
    assert bare["supportedInputStorageFormats"] == stored["supportedInputStorageFormats"] != []
    assert stored["supportedExportFormats"] == [{"id": "custom-trained", "exportableContents": ["ARTIFACT"]}]


def test_endpoints_are_listed_newest_first(clients: Any, parent: str) -> None:
    names = [create_endpoint(clients, parent).name for _ in range(3)]
    assert [endpoint.name for endpoint in clients.endpoints.list_endpoints(parent=parent)] == names[::-1]


def test_the_operation_that_deletes_an_endpoint_belongs_to_its_location(rest: Any, clients: Any, parent: str) -> None:
    name = create_endpoint(clients, parent).name
    operation = rest.delete(f"/v1/{name}").json()
    assert operation["name"].startswith(f"{name.partition('/endpoints/')[0]}/operations/")
    assert rest.get(f"/v1/{operation['name']}").json()["done"] is True


@pytest.mark.parametrize("kind", ["customJobs", "schedules"])
def test_an_id_that_only_the_service_gives_has_to_be_a_number(rest: Any, parent: str, kind: str) -> None:
    malformed = rest.get(f"/v1/{parent}/{kind}/my-own-name").json()["error"]
    absent = rest.get(f"/v1/{parent}/{kind}/123").json()["error"]

    resource = {"customJobs": "CustomJob", "schedules": "Schedule"}[kind]
    found = f"List of found errors:\t1.Field: name; Message: Invalid {resource} resource name.\t"
    assert (malformed["status"], malformed["message"]) == ("INVALID_ARGUMENT", found)
    assert absent["status"] == "NOT_FOUND"


def test_a_pipeline_job_that_is_not_there(cloud: Any, parent: str) -> None:
    from google.cloud import aiplatform_v1

    for transport in ("grpc", "rest"):
        client = aiplatform_v1.PipelineServiceClient(
            transport=transport, client_options={"api_endpoint": "us-central1-aiplatform.googleapis.com"}
        )
        with pytest.raises(exceptions.NotFound, match="The PipelineJob does not exist"):
            client.get_pipeline_job(name=f"{parent}/pipelineJobs/absent")
