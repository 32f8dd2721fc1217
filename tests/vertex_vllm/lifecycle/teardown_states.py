"""States in which a teardown may find a deployment, and the resources afterwards."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.vertex_vllm.served_models import NEVER_READY, Vertex
from tests.waiting import PATIENCE_SECONDS
from vertex_vllm.errors import DeploymentError
from vertex_vllm.labels import Owner
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.serving.requests import endpoint_request
from vertex_vllm.vertex_ai.endpoints import ensure_endpoint
from vertex_vllm.vertex_ai.interruption import interruption
from vertex_vllm.vertex_ai.operations import Deadline

State = Callable[[Vertex, ServingPlan], None]


def nothing(in_vertex: Vertex, plan: ServingPlan) -> None:
    """A deployment without any resource, not even a Model."""


def model(in_vertex: Vertex, plan: ServingPlan) -> None:
    in_vertex.upload(plan)


def two_versions(in_vertex: Vertex, plan: ServingPlan) -> None:
    in_vertex.upload(plan)
    in_vertex.upload(replace(plan, max_model_len=2048))


def endpoint(in_vertex: Vertex, plan: ServingPlan) -> None:
    request = endpoint_request(in_vertex.project, plan, Owner(plan.deployment, "run-1"))
    with interruption() as asked:
        ensure_endpoint(in_vertex.endpoint_client, request, Deadline(30), asked)


def deployed(in_vertex: Vertex, plan: ServingPlan) -> None:
    in_vertex.deploy(plan)


def two_endpoints(in_vertex: Vertex, plan: ServingPlan) -> None:
    in_vertex.deploy(plan)
    in_vertex.deploy(replace(plan, max_model_len=2048))


def failed_deploy(in_vertex: Vertex, plan: ServingPlan) -> None:
    with pytest.raises(DeploymentError):
        in_vertex.deploy(replace(plan, args=("--exit=1",)))


def two_models_on_one_endpoint(in_vertex: Vertex, plan: ServingPlan) -> None:
    """As after an experiment by hand, with traffic for both."""
    name = in_vertex.deploy(plan)
    (first,) = in_vertex.endpoint(name).deployed_models
    second = in_vertex.upload(replace(plan, max_model_len=2048))
    in_vertex.endpoint_client.deploy_model(
        endpoint=name,
        deployed_model={"model": second, "dedicated_resources": first.dedicated_resources},
        traffic_split={"0": 50, first.id: 50},
    ).result(timeout=PATIENCE_SECONDS)


def deploying(in_vertex: Vertex, plan: ServingPlan) -> None:
    """A deploy that nobody waits for any more, as after SIGKILL."""
    slow = replace(plan, args=(NEVER_READY,))
    endpoint(in_vertex, slow)
    (made,) = in_vertex.endpoints()
    in_vertex.endpoint_client.deploy_model(
        endpoint=made.name,
        deployed_model={
            "model": in_vertex.upload(slow),
            "dedicated_resources": {"machine_spec": {"machine_type": "n1-standard-4"}, "min_replica_count": 1},
        },
        traffic_split={"0": 100},
    )


def undeploying(in_vertex: Vertex, plan: ServingPlan) -> None:
    """An undeploy that somebody else began, and that takes a while."""
    name = in_vertex.deploy(replace(plan, args=("--stop-after=2",)))
    (deployed,) = in_vertex.endpoint(name).deployed_models
    in_vertex.endpoint_client.undeploy_model(endpoint=name, deployed_model_id=deployed.id)


STATES = [
    nothing,
    model,
    two_versions,
    endpoint,
    deployed,
    two_endpoints,
    failed_deploy,
    two_models_on_one_endpoint,
    deploying,
    undeploying,
]


def names(in_vertex: Vertex) -> tuple[str, ...]:
    endpoints = [endpoint.name for endpoint in in_vertex.endpoints()]
    return tuple(sorted([*endpoints, *(version.name for version in in_vertex.versions())]))


def unlabelled_endpoint(in_vertex: Vertex, labels: dict[str, str]) -> str:
    made = in_vertex.endpoint_client.create_endpoint(
        parent=in_vertex.parent, endpoint={"display_name": "theirs", "labels": labels}
    )
    return str(made.result(timeout=PATIENCE_SECONDS).name)


def unlabelled_model(in_vertex: Vertex, labels: dict[str, str]) -> str:
    uploaded = in_vertex.model_client.upload_model(
        parent=in_vertex.parent,
        model={"display_name": "theirs", "labels": labels, "container_spec": {"image_uri": "example/theirs:1"}},
    )
    return str(uploaded.result(timeout=PATIENCE_SECONDS).model)
