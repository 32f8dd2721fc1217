"""Machines and quota of a deployment."""

from typing import Any

import pytest
from echo_deployments import containers_of, create_endpoint, deploy, deployed_model, undeploy, upload_echo
from google.api_core import exceptions

from tests.waiting import PATIENCE_SECONDS


def set_quota(cloud: Any, parent: str, quota_id: str, limit: int) -> None:
    override = {"project": parent.split("/")[1], "quota_id": quota_id, "region": "us-central1", "limit": limit}
    cloud.admin("PUT", "/_local/quotas", override)


def test_quota_counts_every_replica_that_may_run(cloud: Any, clients: Any, echo_model: str, parent: str) -> None:
    set_quota(cloud, parent, "CustomModelServingL4GPUsPerProjectPerRegion", 3)
    endpoint = create_endpoint(clients, parent)
    deployed = (
        deploy(clients, endpoint, deployed_model(echo_model, max_replica_count=2))
        .result(timeout=PATIENCE_SECONDS)
        .deployed_model
    )
    refused = deploy(clients, endpoint, deployed_model(echo_model, max_replica_count=2))
    with pytest.raises(exceptions.ResourceExhausted) as refusal:
        refused.result(timeout=60)
    assert refusal.value.message == ("The following quotas are exceeded: CustomModelServingL4GPUsPerProjectPerRegion")
    undeploy(clients, endpoint, deployed.id)
    again = (
        deploy(clients, endpoint, deployed_model(echo_model, max_replica_count=3))
        .result(timeout=PATIENCE_SECONDS)
        .deployed_model
    )
    undeploy(clients, endpoint, again.id)


def test_spot_has_a_quota_of_its_own(cloud: Any, gapic: Any, echo_model: str, parent: str) -> None:
    set_quota(cloud, parent, "CustomModelServingPreemptibleL4GPUsPerProjectPerRegion", 0)
    endpoint = create_endpoint(gapic, parent)
    with pytest.raises(exceptions.ResourceExhausted, match="CustomModelServingPreemptibleL4GPUsPerProjectPerRegion"):
        deploy(gapic, endpoint, deployed_model(echo_model, spot=True)).result(timeout=60)


FLEX = {"flex_start": {"max_runtime_duration": {"seconds": 3600}}}


def test_flex_start_counts_against_the_preemptible_quota(cloud: Any, gapic: Any, echo_model: str, parent: str) -> None:
    set_quota(cloud, parent, "CustomModelServingPreemptibleL4GPUsPerProjectPerRegion", 0)
    endpoint = create_endpoint(gapic, parent)
    with pytest.raises(exceptions.ResourceExhausted, match="CustomModelServingPreemptibleL4GPUsPerProjectPerRegion"):
        deploy(gapic, endpoint, deployed_model(echo_model, **FLEX)).result(timeout=60)


def test_a_model_on_flex_start_machines_is_undeployed_when_their_time_is_over(
    cloud: Any, gapic: Any, echo_model: str, parent: str
) -> None:
    endpoint = create_endpoint(gapic, parent)
    deploy(gapic, endpoint, deployed_model(echo_model, **FLEX)).result(timeout=PATIENCE_SECONDS)
    assert len(gapic.endpoints.get_endpoint(name=endpoint.name).deployed_models) == 1
    cloud.admin("PUT", "/_local/clock", {"advance_seconds": 3601})
    assert containers_of(endpoint.name) == []
    standing = gapic.endpoints.get_endpoint(name=endpoint.name)
    assert (list(standing.deployed_models), dict(standing.traffic_split)) == ([], {})


def test_the_cpus_of_n1_machines_count(cloud: Any, gapic: Any, echo_model: str, parent: str) -> None:
    set_quota(cloud, parent, "CustomModelServingCPUsPerProjectPerRegion", 7)
    endpoint = create_endpoint(gapic, parent)
    resources = machine(machine_type="n1-standard-8", accelerator_type="NVIDIA_TESLA_T4", accelerator_count=1)
    with pytest.raises(exceptions.ResourceExhausted, match="exceeded: CustomModelServingCPUsPerProjectPerRegion"):
        deploy(gapic, endpoint, deployed_model(echo_model, **resources)).result(timeout=60)


def machine(**fields: Any) -> dict[str, Any]:
    return {"machine_spec": {"machine_type": "g2-standard-12", "accelerator_type": "NVIDIA_L4", **fields}}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (machine(accelerator_count=2), exceptions.InvalidArgument, "not supported for machine type"),
        (machine(machine_type="g3-standard-12"), exceptions.InvalidArgument, 'Machine type "g3-standard-12"'),
        (machine(accelerator_type="NVIDIA_H100_80GB", accelerator_count=1), exceptions.InvalidArgument, "Accelerator"),
        ({"min_replica_count": 0}, exceptions.InvalidArgument, "min_replica_count"),
        ({"min_replica_count": -1}, exceptions.InvalidArgument, "min_replica_count"),
        ({"min_replica_count": 3, "max_replica_count": 2}, exceptions.InvalidArgument, "max_replica_count"),
        ({"required_replica_count": 2}, exceptions.InvalidArgument, "required_replica_count"),
        ({**FLEX, "spot": True}, exceptions.InvalidArgument, "together with spot"),
        ({"flex_start": {}}, exceptions.InvalidArgument, "max_runtime_duration"),
        ({"flex_start": {"max_runtime_duration": {"seconds": 604801}}}, exceptions.InvalidArgument, "at most 604800"),
        ({"min_replica_count": 0, "scale_to_zero_spec": {}}, exceptions.MethodNotImplemented, "scale_to_zero_spec"),
        (machine(gpu_partition_size="1g.10gb"), exceptions.MethodNotImplemented, "gpu_partition_size"),
        (
            machine(reservation_affinity={"key": "compute.googleapis.com/reservation-name"}),
            exceptions.MethodNotImplemented,
            "reservation_affinity",
        ),
    ],
)
def test_resources_that_vertex_does_not_rent(
    gapic: Any, echo_model: str, parent: str, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    endpoint = create_endpoint(gapic, parent)
    with pytest.raises(error, match=message):
        deploy(gapic, endpoint, deployed_model(echo_model, **changes))


def test_a_rolling_deployment_is_refused_by_name(gapic: Any, echo_model: str, parent: str) -> None:
    endpoint = create_endpoint(gapic, parent)
    rolled = {**deployed_model(echo_model), "rollout_options": {"previous_deployed_model": "1"}}
    with pytest.raises(exceptions.MethodNotImplemented, match="rollout_options"):
        deploy(gapic, endpoint, rolled)


def test_a_region_without_the_accelerator(gapic: Any, echo_image: str, parent: str) -> None:
    elsewhere = parent.replace("us-central1", "us-west2")
    endpoint = create_endpoint(gapic, elsewhere)
    with pytest.raises(exceptions.InvalidArgument, match="not available in us-west2"):
        deploy(gapic, endpoint, deployed_model(upload_echo(gapic, echo_image, elsewhere)))
