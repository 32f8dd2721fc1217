"""The high-level SDK, as Google's notebooks use it."""

from collections.abc import Iterator
from typing import Any

import pytest
from echo_deployments import REGION, containers_of
from google.api_core import exceptions
from google.cloud import aiplatform

from tests.accounts import lend_accounts, make_account

INSTANCES = [{"prompt": "What is a car?", "max_tokens": 5}]


@pytest.fixture(params=["grpc", pytest.param("rest", marks=pytest.mark.slow)])
def sdk(cloud: Any, project: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh project, over one of the SDK's transports."""
    aiplatform.init(project=project, location=REGION, api_transport=request.param)
    yield project
    aiplatform.init(api_transport="grpc")  # the SDK's default, for the tests that follow


def upload(image: str, **fields: Any) -> aiplatform.Model:
    return aiplatform.Model.upload(
        display_name="echo",
        serving_container_image_uri=image,
        serving_container_args=["--model=gs://models/echo"],
        serving_container_ports=[8080],
        serving_container_predict_route="/generate",
        serving_container_health_route="/ping",
        serving_container_shared_memory_size_mb=16 * 1024,
        serving_container_deployment_timeout=7200,
        **fields,
    )


def deploy(model: aiplatform.Model, endpoint: aiplatform.Endpoint) -> None:
    lend_accounts(aiplatform.initializer.global_config.project)
    model.deploy(
        endpoint=endpoint,
        machine_type="g2-standard-12",
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
        deploy_request_timeout=1800,
        service_account=make_account(aiplatform.initializer.global_config.project, "vertex"),
    )


@pytest.mark.parametrize("dedicated", [False, True])
def test_what_the_tutorial_does(sdk: str, echo_image: str, dedicated: bool) -> None:
    endpoint = aiplatform.Endpoint.create(display_name="car", dedicated_endpoint_enabled=dedicated)
    model = upload(
        echo_image, labels={"team": "blue"}, model_garden_source_model_name="publishers/meta/models/llama3_1"
    )
    deploy(model, endpoint)

    prediction = endpoint.predict(instances=INSTANCES)
    assert prediction.predictions == [{"from": "echo", "instance": INSTANCES[0]}]
    assert prediction.model_resource_name == model.resource_name
    raw = endpoint.raw_predict(body=b"a car", headers={"Content-Type": "text/plain"})
    assert raw.content == b"raw:a car"
    lines = list(endpoint.stream_raw_predict(body=b"a\ncar", headers={"Content-Type": "text/plain"}))
    assert lines == [b"raw:a", b"car"]
    found = aiplatform.Endpoint(endpoint.resource_name)
    assert found.predict(instances=INSTANCES, use_raw_predict=True).model_version_id == "1"
    assert [listed.name for listed in aiplatform.Endpoint.list(filter='display_name="car"')] == [endpoint.name]
    assert [listed.name for listed in aiplatform.Model.list(filter="labels.team=blue")] == [model.name]

    with pytest.raises(exceptions.BadRequest):
        endpoint.delete()
    endpoint.delete(force=True)
    assert containers_of(endpoint.resource_name) == []
    model.delete()
    assert aiplatform.Endpoint.list() == []
    assert aiplatform.Model.list() == []


def test_versions(sdk: str, echo_image: str) -> None:
    first = upload(echo_image, model_id="vllm")
    second = upload(
        echo_image,
        parent_model=first.resource_name,
        is_default_version=False,
        version_aliases=["live"],
        version_description="the second",
    )
    assert (first.version_id, second.version_id) == ("1", "2")
    registry = first.versioning_registry
    assert [(one.version_id, list(one.version_aliases)) for one in registry.list_versions()] == [
        ("1", ["default"]),
        ("2", ["live"]),
    ]
    assert registry.get_model("live").version_description == "the second"
    registry.add_version_aliases(["default"], "2")
    assert aiplatform.Model("vllm").version_id == "2"
    registry.remove_version_aliases(["live"], "2")
    registry.update_version("1", version_description="old", labels={"stage": "old"})
    assert registry.get_version_info("1").version_description == "old"
    registry.delete_version("1")
    second.update(display_name="renamed", labels={"team": "red"})
    renamed = aiplatform.Model("vllm")
    assert (renamed.display_name, renamed.labels, renamed.version_id) == ("renamed", {"team": "red"}, "2")


def test_traffic_moves_to_a_second_model(sdk: str, echo_image: str) -> None:
    endpoint = aiplatform.Endpoint.create(display_name="car")
    deploy(upload(echo_image), endpoint)
    second = upload(echo_image)
    second.deploy(
        endpoint=endpoint,
        traffic_percentage=30,
        machine_type="g2-standard-12",
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
    )
    assert sorted(endpoint.traffic_split.values()) == [30, 70]
    old = next(one.id for one in endpoint.list_models() if endpoint.traffic_split[one.id] == 70)
    endpoint.undeploy(old)
    (standing,) = endpoint.list_models()
    assert endpoint.traffic_split == {standing.id: 100}
    endpoint.update(labels={"stage": "live"})
    assert endpoint.labels == {"stage": "live"}
    endpoint.delete(force=True)
    assert containers_of(endpoint.resource_name) == []


def test_a_crashing_container(sdk: str, echo_image: str) -> None:
    model = upload(echo_image, serving_container_environment_variables={"CRASH": "1"})
    endpoint = aiplatform.Endpoint.create(display_name="car")
    with pytest.raises(exceptions.FailedPrecondition, match="Model server exited unexpectedly"):
        deploy(model, endpoint)
    endpoint.delete()
