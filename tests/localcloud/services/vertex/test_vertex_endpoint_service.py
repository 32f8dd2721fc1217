from typing import Any

import pytest
from echo_deployments import create_endpoint
from google.api_core import exceptions


def test_an_endpoint(clients: Any, parent: str) -> None:
    created = clients.endpoints.create_endpoint(
        request={
            "parent": parent,
            "endpoint_id": "car-1",
            "endpoint": {"display_name": "car", "labels": {"team": "blue"}},
        }
    ).result()
    project_number = created.name.split("/")[1]
    assert created.name == f"projects/{project_number}/locations/us-central1/endpoints/car-1"
    assert project_number.isdigit()
    found = clients.endpoints.get_endpoint(name=f"{parent}/endpoints/car-1")
    assert list(clients.endpoints.list_endpoints(parent=parent)) == [found]
    assert (found.etag != "", found.create_time == found.update_time) == (True, True)
    for field in ("create_time", "update_time", "etag"):
        delattr(found, field)
    assert found == created, "the operation's answer has no times and no etag"
    clients.endpoints.delete_endpoint(name=created.name).result()
    with pytest.raises(exceptions.NotFound, match="does not exist"):
        clients.endpoints.get_endpoint(name=created.name)


def test_a_dedicated_endpoint_has_a_name_of_its_own(clients: Any, parent: str) -> None:
    created = create_endpoint(clients, parent, dedicated_endpoint_enabled=True)
    _, project_number, _, region, _, endpoint_id = created.name.split("/")
    assert created.dedicated_endpoint_dns == f"{endpoint_id}.{region}-{project_number}.prediction.vertexai.goog"
    assert create_endpoint(clients, parent).dedicated_endpoint_dns == ""


def test_updates(clients: Any, parent: str) -> None:
    made = create_endpoint(clients, parent, labels={"stage": "new"}, description="first")
    created = clients.endpoints.get_endpoint(name=made.name)
    updated = clients.endpoints.update_endpoint(
        endpoint={"name": created.name, "labels": {"stage": "live"}, "description": "ignored"},
        update_mask={"paths": ["labels"]},
    )
    assert (dict(updated.labels), updated.description, updated.display_name) == ({"stage": "live"}, "first", "car")
    with pytest.raises(exceptions.Aborted if clients.transport == "grpc" else exceptions.Conflict):
        clients.endpoints.update_endpoint(
            endpoint={"name": created.name, "description": "late", "etag": created.etag},
            update_mask={"paths": ["description"]},
        )


def test_an_update_leaves_labels_out_to_take_them_away(gapic: Any, parent: str) -> None:
    created = create_endpoint(gapic, parent, labels={"stage": "new"})
    updated = gapic.endpoints.update_endpoint(
        endpoint={"name": created.name, "display_name": "car"}, update_mask={"paths": ["labels"]}
    )
    assert dict(updated.labels) == {}


def test_the_inference_timeout_is_updated_by_an_operation(gapic: Any, parent: str) -> None:
    created = create_endpoint(gapic, parent, dedicated_endpoint_enabled=True)
    wanted = {"inference_timeout": {"seconds": 1800}}
    updated = gapic.endpoints.update_endpoint_long_running(
        endpoint={"name": created.name, "display_name": "car", "client_connection_config": wanted}
    ).result()
    assert updated.client_connection_config.inference_timeout.seconds == 1800


def test_lists_filter(clients: Any, parent: str) -> None:
    for stage in ("live", "superseded", "live"):
        create_endpoint(clients, parent, display_name=f"car {stage}", labels={"stage": stage})

    def stages(text: str) -> list[str]:
        found = clients.endpoints.list_endpoints(request={"parent": parent, "filter": text})
        return [endpoint.labels["stage"] for endpoint in found]

    assert stages("labels.stage=live") == ["live", "live"]
    assert stages('displayName="car superseded"') == ["superseded"]
    assert stages("labels.stage:* AND labels.stage=superseded") == ["superseded"]
    assert stages("labels.absent:*") == []


@pytest.mark.parametrize(
    ("endpoint_id", "fields", "error"),
    [
        ("Car", {}, exceptions.InvalidArgument),
        ("car_1", {}, exceptions.InvalidArgument),
        ("012", {}, exceptions.InvalidArgument),
        ("", {"display_name": ""}, exceptions.InvalidArgument),
        ("", {"labels": {"Stage": "live"}}, exceptions.InvalidArgument),
        ("", {"client_connection_config": {"inference_timeout": {"seconds": 3601}}}, exceptions.InvalidArgument),
        ("", {"client_connection_config": {"inference_timeout": {"seconds": 60}}}, exceptions.InvalidArgument),
        ("", {"network": "projects/1/global/networks/default"}, exceptions.MethodNotImplemented),
    ],
)
def test_endpoints_that_are_refused(
    gapic: Any, parent: str, endpoint_id: str, fields: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        gapic.endpoints.create_endpoint(
            parent=parent, endpoint={"display_name": "car", **fields}, endpoint_id=endpoint_id
        )
    assert list(gapic.endpoints.list_endpoints(parent=parent)) == []


def test_an_id_is_given_once(gapic: Any, parent: str) -> None:
    endpoint = {"display_name": "car"}
    gapic.endpoints.create_endpoint(parent=parent, endpoint=endpoint, endpoint_id="car").result()
    with pytest.raises(exceptions.AlreadyExists):
        gapic.endpoints.create_endpoint(parent=parent, endpoint=endpoint, endpoint_id="car")


@pytest.mark.parametrize("split", [{"1": 100}, {"1": 50}])
def test_traffic_needs_deployed_models(gapic: Any, parent: str, split: dict[str, int]) -> None:
    created = create_endpoint(gapic, parent)
    with pytest.raises(exceptions.InvalidArgument, match="traffic_split"):
        gapic.endpoints.update_endpoint(
            endpoint={"name": created.name, "traffic_split": split}, update_mask={"paths": ["traffic_split"]}
        )


@pytest.mark.parametrize("path", ["dedicated_endpoint_enabled", "deployed_models", "name"])
def test_fields_that_no_update_changes(gapic: Any, parent: str, path: str) -> None:
    created = create_endpoint(gapic, parent)
    with pytest.raises(exceptions.InvalidArgument, match=path):
        gapic.endpoints.update_endpoint(endpoint={"name": created.name}, update_mask={"paths": [path]})


@pytest.mark.parametrize("permission", ["aiplatform.endpoints.create", "aiplatform.models.upload"])
def test_what_was_denied_beforehand(cloud: Any, gapic: Any, parent: str, permission: str) -> None:
    denial = {"permission": permission, "resource": parent.partition("/locations/")[0], "denied": True}
    cloud.admin("PUT", "/_local/denials", denial)

    def call() -> Any:
        if permission == "aiplatform.models.upload":
            return gapic.models.upload_model(parent=parent, model={"display_name": "car"})
        return gapic.endpoints.create_endpoint(parent=parent, endpoint={"display_name": "car"})

    with pytest.raises(exceptions.PermissionDenied, match=permission):
        call()
    cloud.admin("PUT", "/_local/denials", {**denial, "denied": False})
    assert call().result().name if permission.endswith("create") else call().result().model
