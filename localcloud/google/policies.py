"""IAM policies, one a resource, of every service that has them: kept, and changed only by whoever read the latest."""

import re
from collections.abc import Collection
from typing import Any

from google.iam.v1.policy_pb2 import Policy
from google.protobuf.struct_pb2 import Struct

from localcloud.cloud import Cloud
from localcloud.errors import ApiError
from localcloud.store import Kind

POLICIES = Kind("IAM policy", Policy)
SERVICE_ACCOUNTS = Kind("service account", Struct)
"""By email, as the REST API has them."""

# "If no mask is provided, the following default mask is used: paths: "bindings, etag"" (`SetIamPolicyRequest`).
USUAL_MASK = ("bindings", "etag")
_CONDITIONAL = 3
"""The version of a policy with conditions."""

_OWN_ACCOUNTS = ".iam.gserviceaccount.com"
# Google's own accounts, which act for a service in a project: service-PROJECT_NUMBER@…
_SERVICE_AGENT = re.compile(r"service-\d+@|.*@gcp-sa-")


def get_policy(cloud: Cloud, resource: str) -> Any:
    """The policy of `resource`; one without bindings when nobody has set any."""
    return cloud.store.get(POLICIES, resource) or Policy(etag=b"ACAB")


def set_policy(cloud: Cloud, resource: str, wanted: Any, mask: Collection[str] = USUAL_MASK) -> Any:
    """Writes the fields of `mask`; the others stay (`SetIamPolicyRequest.update_mask`).

    Raises ApiError ABORTED when the policy was changed since `wanted` was read, INVALID_ARGUMENT for a binding that
    IAM would not take.
    """
    for binding in wanted.bindings:
        _check_binding(cloud, binding, wanted.version)
    with cloud.store.transaction():
        if wanted.etag and wanted.etag != get_policy(cloud, resource).etag:
            raise ApiError(
                "ABORTED",
                "There were concurrent policy changes. "
                "Please retry the whole read-modify-write with exponential backoff.",
            )
        policy = Policy()
        policy.CopyFrom(wanted)
        policy.etag = cloud.ids.hex(12).encode()
        if "auditConfigs" not in mask and "audit_configs" not in mask:
            del policy.audit_configs[:]
            policy.audit_configs.extend(get_policy(cloud, resource).audit_configs)
        # Recorded: a policy that asks for version 3 and has no conditions is answered as version 1.
        policy.version = _CONDITIONAL if any(binding.HasField("condition") for binding in policy.bindings) else 1
        # IAM drops what grants nothing.
        kept = [binding for binding in policy.bindings if binding.members]
        del policy.bindings[:]
        policy.bindings.extend(kept)
        cloud.store.put(POLICIES, resource, policy)
    return policy


def forget_policies(cloud: Cloud, resource: str) -> None:
    """Of a resource that is deleted."""
    cloud.store.delete(POLICIES, resource)


def _check_binding(cloud: Cloud, binding: Any, version: int) -> None:
    if not binding.role.startswith(("roles/", "projects/", "organizations/")):
        raise ApiError("INVALID_ARGUMENT", f"Role {binding.role} is not supported for this resource.")
    if binding.HasField("condition") and version < _CONDITIONAL:
        raise ApiError("INVALID_ARGUMENT", "A policy with conditions must have version 3.")
    for member in binding.members:
        kind, _, name = member.partition(":")
        if kind == "serviceAccount" and name.endswith(_OWN_ACCOUNTS) and not _SERVICE_AGENT.match(name):
            if cloud.store.get(SERVICE_ACCOUNTS, name) is None:
                raise ApiError("INVALID_ARGUMENT", f"Service account {name} does not exist.")
        elif not name and member not in ("allUsers", "allAuthenticatedUsers"):
            raise ApiError("INVALID_ARGUMENT", f"The member {member} is of an unknown type.")
