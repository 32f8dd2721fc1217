import os
import signal
from pathlib import Path
from typing import Any

import pytest
from echo_deployments import containers_of, create_endpoint, deploy, deployed_model, undeploy, upload_echo
from google.api_core import exceptions

from tests.waiting import PATIENCE_SECONDS, wait_until


def test_deploy_ask_and_undeploy(cloud: Any, clients: Any, echo_model: str, parent: str) -> None:
    endpoint = create_endpoint(clients, parent)
    operation = deploy(clients, endpoint, deployed_model(echo_model))
    deployed = operation.result(timeout=PATIENCE_SECONDS).deployed_model
    assert operation.metadata.generic_metadata.create_time is not None

    standing = clients.endpoints.get_endpoint(name=endpoint.name)
    assert [one.id for one in standing.deployed_models] == [deployed.id]
    assert dict(standing.traffic_split) == {deployed.id: 100}
    assert (deployed.model, deployed.model_version_id) == (echo_model, "1")
    assert deployed.dedicated_resources.max_replica_count == 1
    assert len(containers_of(endpoint.name)) == 1
    model = clients.models.get_model(name=echo_model)
    assert [(ref.endpoint, ref.deployed_model_id) for ref in model.deployed_models] == [(endpoint.name, deployed.id)]

    answer = clients.predictions.predict(endpoint=endpoint.name, instances=[{"prompt": "What is a car?"}])
    assert answer.deployed_model_id == deployed.id

    with pytest.raises(exceptions.BadRequest, match="deployed or being-deployed"):
        clients.endpoints.delete_endpoint(name=endpoint.name)
    with pytest.raises(exceptions.BadRequest, match="deployed or being deployed"):
        clients.models.delete_model(name=echo_model)

    undeploy(clients, endpoint, deployed.id)
    assert containers_of(endpoint.name) == []
    emptied = clients.endpoints.get_endpoint(name=endpoint.name)
    assert (list(emptied.deployed_models), dict(emptied.traffic_split)) == ([], {})
    clients.endpoints.delete_endpoint(name=endpoint.name).result()
    clients.models.delete_model(name=echo_model).result()


def test_a_container_that_ends_fails_the_operation_and_leaves_its_log(
    cloud: Any, clients: Any, echo_image: str, parent: str
) -> None:
    endpoint = create_endpoint(clients, parent)
    model = upload_echo(clients, echo_image, parent, CRASH="1")
    with pytest.raises(exceptions.FailedPrecondition) as failure:
        deploy(clients, endpoint, deployed_model(model)).result(timeout=PATIENCE_SECONDS)
    endpoint_id = endpoint.name.rpartition("/")[2]
    assert failure.value.message.startswith(
        "Model server exited unexpectedly. Model server logs can be found at "
        f"https://console.cloud.google.com/logs/viewer?project={endpoint.name.split('/')[1]}"
    )
    (log,) = (cloud.state_dir / "logs" / "containers").glob(f"{endpoint_id}-*.log")
    assert "ValueError: the model has no chat template" in log.read_text()
    assert str(log) in failure.value.message
    assert containers_of(endpoint.name) == []
    assert list(clients.endpoints.get_endpoint(name=endpoint.name).deployed_models) == []
    clients.endpoints.delete_endpoint(name=endpoint.name).result()
    clients.models.delete_model(name=model).result()


def test_a_container_that_is_never_healthy(cloud: Any, gapic: Any, echo_image: str, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    spec = {
        "image_uri": echo_image,
        "health_route": "/ping",
        "env": [{"name": "UNHEALTHY", "value": "1"}],
        "deployment_timeout": {"seconds": 1},
    }
    model = (
        gapic.models.upload_model(parent=parent, model={"display_name": "echo", "container_spec": spec}).result().model
    )
    with pytest.raises(exceptions.FailedPrecondition, match="Model server never became ready"):
        deploy(gapic, endpoint, deployed_model(model)).result(timeout=PATIENCE_SECONDS)
    assert containers_of(endpoint.name) == []


def test_cancelling_a_deployment_leaves_no_process(clients: Any, rest: Any, echo_image: str, parent: str) -> None:
    endpoint = create_endpoint(clients, parent)
    model = upload_echo(clients, echo_image, parent, UNHEALTHY="1")
    operation = deploy(clients, endpoint, deployed_model(model))
    wait_until(lambda: containers_of(endpoint.name))
    with pytest.raises(exceptions.BadRequest, match="being-deployed"):
        clients.endpoints.delete_endpoint(name=endpoint.name)
    if clients.transport == "grpc":
        operation.cancel()
    else:  # google-api-core 2.44 raises KeyError: 'body' before it sends anything
        assert rest.post(f"/v1/{operation.operation.name}:cancel").json() == {}
    with pytest.raises(exceptions.GoogleAPICallError) as failure:
        operation.result(timeout=PATIENCE_SECONDS)
    assert "cancelled" in str(failure.value)
    assert containers_of(endpoint.name) == []
    clients.endpoints.delete_endpoint(name=endpoint.name).result()


def test_a_container_that_ends_later_is_started_again(cloud: Any, gapic: Any, echo_model: str, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    deployed = deploy(gapic, endpoint, deployed_model(echo_model)).result(timeout=PATIENCE_SECONDS).deployed_model
    (first,) = containers_of(endpoint.name)
    os.kill(first, signal.SIGKILL)

    def answers() -> bool:
        try:
            gapic.predictions.predict(endpoint=endpoint.name, instances=[{"prompt": "again"}])
        except exceptions.ServiceUnavailable:
            return False
        return containers_of(endpoint.name) != [first]

    wait_until(answers)
    undeploy(gapic, endpoint, deployed.id)
    assert containers_of(endpoint.name) == []


def test_two_versions_share_the_traffic(cloud: Any, gapic: Any, echo_image: str, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    old = deploy(gapic, endpoint, deployed_model(upload_echo(gapic, echo_image, parent, NAME="old"))).result(
        timeout=PATIENCE_SECONDS
    )
    new = deploy(
        gapic,
        endpoint,
        deployed_model(upload_echo(gapic, echo_image, parent, NAME="new")),
        {"0": 50, old.deployed_model.id: 50},
    ).result(timeout=PATIENCE_SECONDS)
    ids = {old.deployed_model.id: "old", new.deployed_model.id: "new"}
    seen = set()
    for _ in range(200):
        answer = gapic.predictions.predict(endpoint=endpoint.name, instances=[{}])
        assert dict(answer.predictions[0])["from"] == ids[answer.deployed_model_id]
        seen.add(answer.deployed_model_id)
        if seen == ids.keys():
            break
    assert seen == ids.keys()

    with pytest.raises(exceptions.FailedPrecondition, match="traffic"):
        gapic.endpoints.undeploy_model(endpoint=endpoint.name, deployed_model_id=old.deployed_model.id)
    moved = gapic.endpoints.update_endpoint(
        endpoint={"name": endpoint.name, "traffic_split": {new.deployed_model.id: 100}},
        update_mask={"paths": ["traffic_split"]},
    )
    assert dict(moved.traffic_split) == {new.deployed_model.id: 100}
    undeploy(gapic, endpoint, old.deployed_model.id)
    undeploy(gapic, endpoint, new.deployed_model.id)
    assert containers_of(endpoint.name) == []


def test_without_traffic_nothing_answers(gapic: Any, echo_model: str, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    deployed = deploy(gapic, endpoint, deployed_model(echo_model), {}).result(timeout=PATIENCE_SECONDS).deployed_model
    with pytest.raises(exceptions.FailedPrecondition, match="doesn't have traffic_split"):
        gapic.predictions.predict(endpoint=endpoint.name, instances=[{}])
    undeploy(gapic, endpoint, deployed.id)


def test_replica_counts_can_be_changed(gapic: Any, echo_model: str, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    deployed = deploy(gapic, endpoint, deployed_model(echo_model)).result(timeout=PATIENCE_SECONDS).deployed_model
    changed = (
        gapic.endpoints.mutate_deployed_model(
            endpoint=endpoint.name,
            deployed_model={"id": deployed.id, "dedicated_resources": {"max_replica_count": 3}},
            update_mask={"paths": ["dedicated_resources.max_replica_count"]},
        )
        .result()
        .deployed_model
    )
    assert (changed.dedicated_resources.min_replica_count, changed.dedicated_resources.max_replica_count) == (1, 3)
    with pytest.raises(exceptions.ResourceExhausted):
        gapic.endpoints.mutate_deployed_model(
            endpoint=endpoint.name,
            deployed_model={"id": deployed.id, "dedicated_resources": {"max_replica_count": 1000}},
            update_mask={"paths": ["dedicated_resources.max_replica_count"]},
        )
    undeploy(gapic, endpoint, deployed.id)


@pytest.mark.parametrize(
    ("changes", "split", "error", "message"),
    [
        ({"model": ""}, None, exceptions.InvalidArgument, "deployed_model.model"),
        ({"id": "x"}, None, exceptions.InvalidArgument, "DeployedModel id"),
        ({"service_account": "me"}, None, exceptions.InvalidArgument, "service_account"),
        ({}, {"0": 50}, exceptions.InvalidArgument, "add up to 100"),
        ({}, {"0": 50, "7": 50}, exceptions.InvalidArgument, "not in the Endpoint"),
    ],
)
def test_deployments_that_are_refused(
    gapic: Any,
    echo_model: str,
    parent: str,
    changes: dict[str, Any],
    split: dict[str, int] | None,
    error: type[Exception],
    message: str,
) -> None:
    endpoint = create_endpoint(gapic, parent)
    with pytest.raises(error, match=message):
        deploy(gapic, endpoint, {**deployed_model(echo_model), **changes}, split)


def test_automatic_resources_are_for_other_models(gapic: Any, echo_model: str, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    with pytest.raises(exceptions.InvalidArgument, match="'automatic_resources' is not supported for Model"):
        deploy(gapic, endpoint, {"model": echo_model, "automatic_resources": {"min_replica_count": 1}})


def test_an_image_that_cannot_run_here(cloud: Any, gapic: Any, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    model = upload_echo(gapic, "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest", parent)
    with pytest.raises(exceptions.InvalidArgument) as refusal:
        deploy(gapic, endpoint, deployed_model(model))
    assert "*/pytorch-vllm-serve:*" in refusal.value.message
    assert str(Path(cloud.state_dir) / "images.yaml") in refusal.value.message


def test_a_model_without_a_container(gapic: Any, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    model = gapic.models.upload_model(parent=parent, model={"display_name": "reference"}).result().model
    with pytest.raises(exceptions.FailedPrecondition, match="container_spec"):
        deploy(gapic, endpoint, deployed_model(model))


def test_nothing_to_undeploy(gapic: Any, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    with pytest.raises(exceptions.NotFound, match="no DeployedModel 7"):
        gapic.endpoints.undeploy_model(endpoint=endpoint.name, deployed_model_id="7")


def test_a_versioned_name_deploys_that_version(gapic: Any, echo_image: str, parent: str) -> None:
    model = upload_echo(gapic, echo_image, parent, NAME="first")
    spec = gapic.models.get_model(name=model).container_spec
    spec.env = [{"name": "NAME", "value": "second"}]
    gapic.models.upload_model(
        request={"parent": parent, "parent_model": model, "model": {"display_name": "echo", "container_spec": spec}}
    ).result()
    endpoint = create_endpoint(gapic, parent)
    deployed = deploy(gapic, endpoint, deployed_model(f"{model}@2")).result(timeout=PATIENCE_SECONDS).deployed_model
    assert (deployed.model, deployed.model_version_id) == (model, "2")
    answer = gapic.predictions.predict(endpoint=endpoint.name, instances=[{}])
    assert dict(answer.predictions[0])["from"] == "second"
    assert answer.model_version_id == "2"
    with pytest.raises(exceptions.FailedPrecondition, match="deployed or being deployed"):
        gapic.models.delete_model_version(name=f"{model}@2")
    undeploy(gapic, endpoint, deployed.id)
