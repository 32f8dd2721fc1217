"""Traffic splits: the percentage of an endpoint's requests for each of its deployed models."""

from collections.abc import Collection, Mapping

from localcloud.core.api_errors import ApiError

# In `DeployModelRequest.traffic_split`: the new deployed model.
NEW_DEPLOYED_MODEL = "0"


def check_split(split: Mapping[str, int], deployed_model_ids: Collection[str]) -> None:
    """Raises ApiError INVALID_ARGUMENT unless `split` is empty or divides 100 among deployed models of the endpoint."""
    for deployed_model_id, percentage in split.items():
        if deployed_model_id not in deployed_model_ids:
            raise _refusal(f"DeployedModel `{deployed_model_id}` is not in the Endpoint.")
        if not 0 <= percentage <= 100:
            raise _refusal(f"{percentage} for DeployedModel `{deployed_model_id}` is not between 0 and 100.")
    if split and sum(split.values()) != 100:
        raise _refusal(f"The traffic percentages must add up to 100; they add up to {sum(split.values())}.")


def split_after_deploy(
    current: Mapping[str, int], requested: Mapping[str, int], new_id: str, deployed_model_ids: Collection[str]
) -> dict[str, int]:
    """The endpoint's split after `new_id` is deployed: as requested, "0" meaning `new_id`; unchanged without a request.

    Raises ApiError INVALID_ARGUMENT.
    """
    if not requested:
        return dict(current)
    check_split(requested, {*deployed_model_ids, NEW_DEPLOYED_MODEL})
    return {new_id if key == NEW_DEPLOYED_MODEL else key: share for key, share in requested.items() if share}


def split_after_undeploy(
    current: Mapping[str, int], requested: Mapping[str, int], removed_id: str, deployed_model_ids: Collection[str]
) -> dict[str, int]:
    """The endpoint's split after `removed_id` is undeployed; empty if no model remains.

    Raises ApiError INVALID_ARGUMENT for a malformed request, FAILED_PRECONDITION if `removed_id` would keep traffic.
    """
    if set(deployed_model_ids) == {removed_id}:
        return {}
    split = dict(requested or current)
    if requested:
        check_split(requested, deployed_model_ids)
    if split.pop(removed_id, 0):
        raise ApiError(
            "FAILED_PRECONDITION",
            f"DeployedModel `{removed_id}` still has traffic assigned to it; give that to others in traffic_split.",
        )
    return {key: share for key, share in split.items() if share}


def choose(split: Mapping[str, int], point: float) -> str:
    """The deployed model for a request. `point`: a random number, uniform in [0, 1). `split` must not be empty."""
    threshold = 0.0
    for deployed_model_id, percentage in sorted(split.items()):
        threshold += percentage / 100
        if point < threshold:
            return deployed_model_id
    return max(key for key, share in split.items() if share)


def _refusal(reason: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", f"Invalid traffic_split: {reason}")
