"""Deploys to the first place with machines available: the plan's own, then its fallbacks in order.

A fallback is a whole plan. In another region it needs a Model and an Endpoint there, since both are regional; the
weights stay in their bucket, and the container reads them across regions.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from vertex_vllm.error_data import Attempt
from vertex_vllm.errors import DeploymentError, RegionClosedError, StockoutError
from vertex_vllm.labels import Owner, endpoint_resource_id
from vertex_vllm.planning.plan import ServingPlan
from vertex_vllm.serving.deploy import deploy_model, ignore
from vertex_vllm.serving.stockouts import is_blocked
from vertex_vllm.serving.upload import upload_model
from vertex_vllm.vertex_ai.clients import endpoint_client, service_errors
from vertex_vllm.vertex_ai.endpoints import delete_if_empty, get_endpoint
from vertex_vllm.vertex_ai.operations import Deadline
from vertex_vllm.vertex_ai.resource_names import ResourceName

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deployed:
    plan: ServingPlan
    """The plan that is served: the first plan, or one of its fallbacks."""
    endpoint: str
    """Resource name."""
    model: str
    """Resource name with the version."""
    attempts: tuple[Attempt, ...]
    """The places that had no machines available, in order."""


def deploy_with_fallbacks(
    project: str,
    plan: ServingPlan,
    model_name: str,
    model_uri: str,
    owner: Owner,
    service_account: str,
    deadline_seconds: int,
    on_operation: Callable[[str], None] = ignore,
    on_attempt: Callable[[tuple[Attempt, ...]], object] = lambda attempts: None,
) -> Deployed:
    """Deploys `model_name` as planned; if its place is out of stock, a version for the next fallback, from `model_uri`.

    A place where an earlier run already serves comes first. `on_attempt` gets the refusals so far after each. The
    deadline is for all places together. Raises StockoutError with the history if every place is refused, and the
    errors of `deploy_model` and `upload_model` for any other cause, which another place would not cure.
    """
    deadline = Deadline(deadline_seconds)
    attempts: tuple[Attempt, ...] = ()
    for place in _serving_first(project, (plan, *plan.fallbacks)):
        if is_blocked(place, attempts):
            log.info("%s in %s is ruled out by an earlier refusal", place.machine_type, place.region)
            continue
        whose = replace(owner, config_hash=place.config_hash)
        try:
            model = model_name if place is plan else upload_model(project, place, model_uri, whose)
            endpoint = deploy_model(
                project, place, model, whose, service_account, max(1, int(deadline.left)), on_operation
            )
        except RegionClosedError as error:
            if place is plan:
                raise
            log.warning("The fallback is passed over: %s", error)
            continue
        except StockoutError as error:
            attempts += error.attempts
            on_attempt(attempts)
            log.warning("Out of stock: %s", error.attempts[-1])
            _delete_empty_endpoint(project, place)
            continue
        return Deployed(place, endpoint, model, attempts)
    raise _exhausted(project, plan, attempts)


def attempts_json(attempts: tuple[Attempt, ...]) -> str:
    return json.dumps([asdict(attempt) for attempt in attempts], indent=2) + "\n"


def _serving_first(project: str, places: tuple[ServingPlan, ...]) -> list[ServingPlan]:
    """The places in order, except that a place to which an earlier run deployed comes first."""
    return sorted(places, key=lambda place: not _serves(project, place)) if len(places) > 1 else list(places)


def _serves(project: str, place: ServingPlan) -> bool:
    name = _endpoint_name(project, place)
    try:
        with service_errors(f"Looking for endpoint {name.id}"):
            endpoint = get_endpoint(endpoint_client(place.region), str(name))
    except RegionClosedError:  # Nothing of the project can be there.
        return False
    return endpoint is not None and bool(endpoint.deployed_models)


def _delete_empty_endpoint(project: str, place: ServingPlan) -> None:
    """Deletes the empty endpoint of a place where no machine was available."""
    name = _endpoint_name(project, place)
    try:
        with service_errors(f"Removing endpoint {name.id}"):
            delete_if_empty(endpoint_client(place.region), str(name))
    except DeploymentError as error:
        log.warning("The empty endpoint stays until teardown: %s", error)


def _endpoint_name(project: str, place: ServingPlan) -> ResourceName:
    return ResourceName(project, place.region, "endpoints", endpoint_resource_id(place.deployment, place.served_id))


def _exhausted(project: str, plan: ServingPlan, attempts: tuple[Attempt, ...]) -> StockoutError:
    """Advice for the error: wait if machines are out of stock; a quota must be raised by request."""
    tried = "; ".join(map(str, attempts))
    if attempts and all(attempt.stockout.domain == "quota" for attempt in attempts):
        return StockoutError(
            f"the project's quota does not allow it: {tried}",
            where=plan.deployment,
            fix="Tear down what is not needed, or ask for more: "
            f"https://console.cloud.google.com/iam-admin/quotas?project={project}",
            attempts=attempts,
        )
    more = "add other places to serving.fallbacks" if plan.fallbacks else "name other places in serving.fallbacks"
    return StockoutError(
        f"no machine was available: {tried}",
        where=plan.deployment,
        fix=f"Try again later, or {more} (vertex-vllm plan lists the alternatives).",
        attempts=attempts,
    )
