"""Promotion: one endpoint of a deployment becomes live, its other endpoints superseded."""

import logging
from collections.abc import Sequence

from google.api_core import exceptions
from google.cloud import aiplatform_v1beta1 as vertex

from vertex_vllm.errors import DeploymentError, RegionClosedError
from vertex_vllm.labels import LIVE, STAGE_LABEL, SUPERSEDED, Owner, belongs
from vertex_vllm.vertex_ai.clients import CALL_SECONDS, RETRY, endpoint_client, model_client, service_errors
from vertex_vllm.vertex_ai.find_by_label import DEFAULT, find_endpoints, model_versions
from vertex_vllm.vertex_ai.resource_names import ResourceName

log = logging.getLogger(__name__)


def promote_endpoint(
    project: str, region: str, endpoint_name: str, model_name: str, owner: Owner, also_in: Sequence[str] = ()
) -> tuple[str, ...]:
    """Marks an endpoint of the owner's deployment live, its other endpoints superseded, the model version live.

    The other endpoints are those in `region` and in `also_in`, the regions of its fallbacks; the promoted one may be in
    any of them. Returns the names of the superseded ones. Repeating it changes nothing. Nothing is undeployed: a
    superseded endpoint answers until teardown. Raises DeploymentError if the endpoint is not the deployment's, and if
    Vertex AI refuses.
    """
    promoted = ResourceName.parse(endpoint_name, "endpoints")
    model = ResourceName.parse(model_name, "models")
    with service_errors(f"Promoting {promoted.id}"):
        endpoints = endpoint_client(promoted.region)
        live = endpoints.get_endpoint(name=endpoint_name, retry=RETRY, timeout=CALL_SECONDS)
        if not belongs(live.labels, owner.deployment):
            raise DeploymentError(f"The endpoint does not belong to deployment {owner.deployment}", where=endpoint_name)
        regions = dict.fromkeys((promoted.region, region, *also_in))
        others = [
            endpoint
            for each in regions
            for endpoint in _endpoints_in(project, each, owner.deployment)
            if not ResourceName.parse(endpoint.name, "endpoints").names_same(promoted)
        ]
        # The new endpoint first: at every moment one endpoint is live.
        _set_stage(endpoints, live, LIVE)
        _move_alias(model_client(model.region), model)
        for endpoint in others:
            its_region = ResourceName.parse(endpoint.name, "endpoints").region
            _set_stage(endpoint_client(its_region), endpoint, SUPERSEDED)
    log.info("Live: %s. Ask it: vertex-vllm ask %s QUESTION --project %s", endpoint_name, owner.deployment, project)
    for endpoint in others:
        log.info("Superseded, still serving and charged: %s", endpoint.name)
    if others:
        log.info("Remove them: vertex-vllm teardown %s --superseded --project %s", owner.deployment, project)
    return tuple(endpoint.name for endpoint in others)


def _endpoints_in(project: str, region: str, deployment: str) -> tuple[vertex.Endpoint, ...]:
    """The deployment's endpoints in a region; none if the project may not use the region, which a fallback may name."""
    try:
        with service_errors(f"Looking in {region}"):
            return find_endpoints(endpoint_client(region), project, region, deployment)
    except RegionClosedError:
        return ()


def _move_alias(client: vertex.ModelServiceClient, model: ResourceName) -> None:
    """Gives this version the aliases `live` and `default`.

    An alias is "unique within a Model"; whether Vertex AI moves one that another version holds, or refuses, is not
    documented. Where it refuses, the alias is taken from the others first.
    """
    wanted = [LIVE, DEFAULT]
    try:
        client.merge_version_aliases(name=str(model), version_aliases=wanted, retry=RETRY, timeout=CALL_SECONDS)
        return
    except (exceptions.FailedPrecondition, exceptions.AlreadyExists, exceptions.InvalidArgument):
        holders = [
            version
            for version in model_versions(client, model.unversioned)
            if LIVE in version.version_aliases and version.version_id != model.version
        ]
        if not holders:
            raise
    for holder in holders:
        name = str(model.with_version(holder.version_id))
        # A `-` in front removes it (ModelService.MergeVersionAliases).
        client.merge_version_aliases(name=name, version_aliases=[f"-{LIVE}"], retry=RETRY, timeout=CALL_SECONDS)
    client.merge_version_aliases(name=str(model), version_aliases=wanted, retry=RETRY, timeout=CALL_SECONDS)


def _set_stage(client: vertex.EndpointServiceClient, endpoint: vertex.Endpoint, stage: str) -> None:
    if endpoint.labels.get(STAGE_LABEL) == stage:
        return
    # The whole Endpoint with its etag: a change that somebody else makes meanwhile is refused rather than lost.
    labelled = vertex.Endpoint(endpoint)
    labelled.labels[STAGE_LABEL] = stage
    client.update_endpoint(endpoint=labelled, update_mask="labels", retry=RETRY, timeout=CALL_SECONDS)
