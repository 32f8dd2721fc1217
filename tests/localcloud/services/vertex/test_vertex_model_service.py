import json
from typing import Any

import pytest
import requests
from google.api_core import exceptions

IMAGE = "us-docker.pkg.dev/vertex-ai/vertex-vision-model-garden-dockers/pytorch-vllm-serve:20250710_0916_RC01"


def model(**fields: Any) -> dict[str, Any]:
    return {"display_name": "vllm", "container_spec": {"image_uri": IMAGE}, **fields}


def upload(clients: Any, parent: str, **fields: Any) -> str:
    request = {"parent": parent, "model": model(**fields.pop("model", {})), **fields}
    response = clients.models.upload_model(request=request).result()
    return f"{response.model}@{response.model_version_id}"


def number(name: str) -> str:
    return name.split("/")[1]


def test_a_model_and_its_versions(clients: Any, parent: str) -> None:
    first = upload(clients, parent, model_id="vllm", model={"labels": {"team": "blue"}})
    name = first.removesuffix("@1")
    second = upload(
        clients, parent, parent_model=name, model={"version_aliases": ["live"], "version_description": "new"}
    )
    assert (first, second) == (f"{name}@1", f"{name}@2")
    assert name.endswith("/models/vllm")
    assert number(name).isdigit()

    versions = list(clients.models.list_model_versions(name=name))
    assert [(version.name, version.version_id, list(version.version_aliases)) for version in versions] == [
        (f"{name}@1", "1", ["default"]),
        (f"{name}@2", "2", ["live"]),
    ]
    default = clients.models.get_model(name=f"{parent}/models/vllm")
    assert (default.name, default.version_id, dict(default.labels)) == (name, "1", {"team": "blue"})
    assert default.container_spec.image_uri == IMAGE
    live = clients.models.get_model(name=f"{name}@live")
    assert (live.name, live.version_id, live.version_description) == (f"{name}@2", "2", "new")
    assert [listed.version_id for listed in clients.models.list_models(parent=parent)] == ["1"]


def test_the_default_alias_moves(clients: Any, parent: str) -> None:
    name = upload(clients, parent).removesuffix("@1")
    upload(clients, parent, parent_model=name, model={"version_aliases": ["default"]})
    assert clients.models.get_model(name=name).version_id == "2"
    merged = clients.models.merge_version_aliases(name=f"{name}@1", version_aliases=["default", "old", "-absent"])
    assert (merged.version_id, list(merged.version_aliases)) == ("1", ["default", "old"])
    assert clients.models.get_model(name=name).version_id == "1"
    clients.models.merge_version_aliases(name=f"{name}@1", version_aliases=["-old"])
    assert list(clients.models.get_model(name=f"{name}@1").version_aliases) == ["default"]


def test_updates_of_model_and_version(clients: Any, parent: str) -> None:
    name = upload(clients, parent, model={"labels": {"team": "blue"}}).removesuffix("@1")
    updated = clients.models.update_model(
        model={"name": name, "display_name": "car", "labels": {"team": "red"}},
        update_mask={"paths": ["display_name", "labels"]},
    )
    assert (updated.display_name, dict(updated.labels)) == ("car", {"team": "red"})
    clients.models.update_model(
        model={"name": f"{name}@1", "version_description": "first", "labels": {"stage": "live"}},
        update_mask={"paths": ["version_description", "labels"]},
    )
    read = clients.models.get_model(name=name)
    assert (read.version_description, dict(read.labels)) == ("first", {"team": "red", "stage": "live"})


def test_an_update_of_what_was_changed_meanwhile_is_aborted(clients: Any, parent: str) -> None:
    name = upload(clients, parent).removesuffix("@1")
    read = clients.models.get_model(name=name)
    mask = {"paths": ["description"]}
    clients.models.update_model(model={"name": name, "description": "a", "etag": read.etag}, update_mask=mask)
    with pytest.raises(exceptions.Aborted if clients.transport == "grpc" else exceptions.Conflict):
        clients.models.update_model(model={"name": name, "description": "b", "etag": read.etag}, update_mask=mask)


def test_versions_are_deleted_one_by_one_then_the_model(clients: Any, parent: str) -> None:
    name = upload(clients, parent).removesuffix("@1")
    upload(clients, parent, parent_model=name)
    clients.models.delete_model_version(name=f"{name}@2").result()
    assert [version.version_id for version in clients.models.list_model_versions(name=name)] == ["1"]
    with pytest.raises(exceptions.BadRequest, match="only version"):
        clients.models.delete_model_version(name=f"{name}@1")
    clients.models.delete_model(name=name).result()
    with pytest.raises(exceptions.NotFound):
        clients.models.get_model(name=name)


def test_a_version_number_is_not_given_twice(gapic: Any, parent: str) -> None:
    name = upload(gapic, parent).removesuffix("@1")
    upload(gapic, parent, parent_model=name)
    gapic.models.delete_model_version(name=f"{name}@2").result()
    assert upload(gapic, parent, parent_model=name) == f"{name}@3"


def test_the_default_version_cannot_be_deleted(gapic: Any, parent: str) -> None:
    name = upload(gapic, parent).removesuffix("@1")
    upload(gapic, parent, parent_model=name)
    with pytest.raises(exceptions.FailedPrecondition, match="default"):
        gapic.models.delete_model_version(name=f"{name}@1")


def test_lists_filter_and_page(clients: Any, parent: str) -> None:
    for index in range(5):
        upload(clients, parent, model_id=f"vllm-{index}", model={"labels": {"half": "odd" if index % 2 else "even"}})

    def ids(**request: Any) -> list[str]:
        found = clients.models.list_models(request={"parent": parent, **request})
        return [listed.name.rpartition("/")[2] for listed in found]

    assert ids() == ids(page_size=2) == [f"vllm-{index}" for index in (4, 3, 2, 1, 0)], "newest first"
    assert ids(filter="labels.half=odd") == ["vllm-3", "vllm-1"]
    assert ids(filter='labels.half:* AND model="vllm-2"') == ["vllm-2"]
    assert ids(filter='display_name!="vllm"') == []
    page = clients.models.list_models(request={"parent": parent, "page_size": 2})
    assert len(next(page.pages).models) == 2
    masked = next(iter(clients.models.list_models(request={"parent": parent, "read_mask": {"paths": ["name"]}})))
    assert (masked.name.rpartition("/")[2], masked.display_name) == ("vllm-4", "")


@pytest.mark.parametrize(
    ("request_fields", "error", "message"),
    [
        ({"model": {"container_spec": {}}}, exceptions.InvalidArgument, "model.container_spec.image_uri"),
        ({"model": {"display_name": ""}}, exceptions.InvalidArgument, "Required field is not set"),
        ({"model": {"labels": {"Team": "x"}}}, exceptions.InvalidArgument, "label key `Team`"),
        ({"model": {"artifact_uri": "/models"}}, exceptions.InvalidArgument, "gs://"),
        ({"model": {"version_aliases": ["1"]}}, exceptions.InvalidArgument, "version alias"),
        ({"model_id": "8b"}, exceptions.InvalidArgument, "model_id"),
        ({"parent_model": "vllm"}, exceptions.InvalidArgument, "Model name"),
    ],
)
def test_uploads_that_are_refused(
    gapic: Any, parent: str, request_fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        upload(gapic, parent, **request_fields)
    assert list(gapic.models.list_models(parent=parent)) == []


def test_an_id_is_given_once(clients: Any, parent: str) -> None:
    upload(clients, parent, model_id="vllm")
    with pytest.raises(exceptions.AlreadyExists if clients.transport == "grpc" else exceptions.Conflict):
        upload(clients, parent, model_id="vllm")
    upload(clients, parent.replace("us-central1", "europe-west4"), model_id="vllm")


@pytest.mark.parametrize("name", ["vllm", "vllm@7", "vllm@live"])
def test_what_is_not_there(clients: Any, parent: str, name: str) -> None:
    if "@" in name:
        upload(clients, parent, model_id="vllm")
    with pytest.raises(exceptions.NotFound, match="does not exist"):
        clients.models.get_model(name=f"{parent}/models/{name}")


@pytest.mark.parametrize(
    ("name", "paths", "error"),
    [
        ("", ["version_description"], exceptions.FailedPrecondition),
        ("@1", ["display_name"], exceptions.FailedPrecondition),
        ("", ["container_spec"], exceptions.InvalidArgument),
        ("", [], exceptions.InvalidArgument),
    ],
)
def test_updates_that_are_refused(gapic: Any, parent: str, name: str, paths: list[str], error: type[Exception]) -> None:
    uploaded = upload(gapic, parent).removesuffix("@1")
    with pytest.raises(error):
        gapic.models.update_model(model={"name": f"{uploaded}{name}"}, update_mask={"paths": paths})


def test_a_filter_that_is_not_understood(clients: Any, parent: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="AND"):
        list(clients.models.list_models(request={"parent": parent, "filter": "labels.a=b OR labels.c=d"}))


def test_a_region_that_vertex_has_not(clients: Any, parent: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="us-central9"):
        upload(clients, parent.replace("us-central1", "us-central9"))


def test_plain_rest(cloud: Any, parent: str, rest: Any) -> None:
    body = {"model": {"displayName": "vllm", "containerSpec": {"imageUri": IMAGE, "ports": [{"containerPort": 8080}]}}}
    answer = rest.post(f"/v1/{parent}/models:upload", data=json.dumps(body))
    operation = answer.json()
    assert (answer.status_code, operation["done"]) == (200, True)
    assert operation["response"]["@type"] == "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse"
    name = operation["response"]["model"]
    read = rest.get(f"/v1beta1/{name}").json()
    assert read["supportedDeploymentResourcesTypes"] == ["DEDICATED_RESOURCES", "SHARED_RESOURCES"]
    assert read["versionAliases"] == ["default"]
    assert rest.post(f"/v1/{parent}/models:upload", data='{"model": {"displayname": 1}}').status_code == 400
    refused = requests.get(f"https://us-central1-aiplatform.googleapis.com/v1/{name}")
    assert (refused.status_code, refused.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
