"""Promotion: one endpoint of a deployment is live, the others have had their time."""

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

    Its other endpoints are those in `region` and, where it has fallbacks, `also_in` others; the promoted one may be in
    any of them. Answers with the names of the superseded ones. Made twice it comes to the same. Nothing is undeployed:
    who still calls a superseded endpoint goes on being answered until teardown. Raises DeploymentError where the
    endpoint is not the deployment's, and for what Vertex AI refuses.
    """
    promoted = ResourceName.parse(endpoint_name, "endpoints")
    model = ResourceName.parse(model_name, "models")
    with service_errors(f"Promoting {promoted.id}"):
        endpoints = endpoint_client(promoted.region)
        live = endpoints.get_endpoint(name=endpoint_name, retry=RETRY, timeout=CALL_SECONDS)
        if not belongs(live.labels, owner.deployment):
            raise DeploymentError(f"The endpoint is none of deployment {owner.deployment}'s", where=endpoint_name)
        regions = dict.fromkeys((promoted.region, region, *also_in))
        others = [
            endpoint
            for place in regions
            for endpoint in _endpoints_in(project, place, owner.deployment)
            if not ResourceName.parse(endpoint.name, "endpoints").names_same(promoted)
        ]
        # First the new, then the old: at no moment is there none.
        _set_stage(endpoints, live, LIVE)
        _move_alias(model_client(model.region), model)
        for endpoint in others:
            place = ResourceName.parse(endpoint.name, "endpoints").region
            _set_stage(endpoint_client(place), endpoint, SUPERSEDED)
    log.info("Live: %s. Ask it: vertex-vllm ask %s QUESTION --project %s", endpoint_name, owner.deployment, project)
    for endpoint in others:
        log.info("Superseded, still serving and charged: %s", endpoint.name)
    if others:
        log.info("Remove them: vertex-vllm teardown %s --superseded --project %s", owner.deployment, project)
    return tuple(endpoint.name for endpoint in others)


def _endpoints_in(project: str, region: str, deployment: str) -> tuple[vertex.Endpoint, ...]:
    """None where the project may not use the region: a fallback may name one."""
    try:
        with service_errors(f"Looking in {region}"):
            return find_endpoints(endpoint_client(region), project, region, deployment)
    except RegionClosedError:
        return ()


def _move_alias(client: vertex.ModelServiceClient, model: ResourceName) -> None:
    """Puts the aliases of what serves on this version.

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
