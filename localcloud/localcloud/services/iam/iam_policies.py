"""IAM policies of all services, one per resource; a change needs the latest version's etag."""

from collections.abc import Collection, Iterable
from typing import Any

from google.iam.v1.policy_pb2 import Policy

from localcloud.core.api_errors import ApiError
from localcloud.core.cloud import Cloud
from localcloud.core.permissions import policy_conditions
from localcloud.core.permissions.accounts import exists
from localcloud.core.permissions.decisions import CUSTOM_ROLES, POLICIES
from localcloud.core.permissions.permission_table import roles
from localcloud.core.permissions.policy_bindings import refuse_member
from localcloud.core.signed_tokens import SERVICE_ACCOUNTS

__all__ = ["SERVICE_ACCOUNTS", "USUAL_MASK", "check_binding", "forget_policies", "get_policy", "set_policy"]

# "If no mask is provided, the following default mask is used: paths: "bindings, etag"" (`SetIamPolicyRequest`).
USUAL_MASK = ("bindings", "etag")
_CONDITIONAL = 3
"""The version of a policy with conditions."""

_ACCOUNTS = ".gserviceaccount.com"


def get_policy(cloud: Cloud, resource: str) -> Any:
    """The policy of `resource`; without bindings if it was never set."""
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
        # IAM drops bindings without members.
        kept = [binding for binding in policy.bindings if binding.members]
        del policy.bindings[:]
        policy.bindings.extend(kept)
        cloud.store.put(POLICIES, resource, policy)
    return policy


def forget_policies(cloud: Cloud, resource: str) -> None:
    """Deletes the policies of a deleted resource."""
    cloud.store.delete(POLICIES, resource)


def _check_binding(cloud: Cloud, binding: Any, version: int) -> None:
    if binding.HasField("condition") and version < _CONDITIONAL:
        raise ApiError("INVALID_ARGUMENT", "A policy with conditions must have version 3.")
    check_binding(cloud, binding.role, binding.members, binding.condition.expression)


def check_binding(cloud: Cloud, role: str, members: Iterable[str], condition: str) -> None:
    """Raises ApiError INVALID_ARGUMENT for a binding that IAM refuses, UNIMPLEMENTED for an unsupported one."""
    _check_role(cloud, role)
    for member in members:
        kind, _, name = member.partition(":")
        if reason := refuse_member(member):
            raise ApiError("UNIMPLEMENTED", reason)
        if kind == "serviceAccount" and name.endswith(_ACCOUNTS):
            if not exists(cloud, name):
                raise ApiError("INVALID_ARGUMENT", f"Service account {name} does not exist.")
        elif not name and member not in ("allUsers", "allAuthenticatedUsers"):
            raise ApiError("INVALID_ARGUMENT", f"The member {member} is of an unknown type.")
    if condition:
        try:
            policy_conditions.check(condition)
        except ValueError as error:
            raise ApiError("UNIMPLEMENTED", f"{error}.") from None


def _check_role(cloud: Cloud, role: str) -> None:
    if role.startswith("organizations/"):
        raise ApiError("UNIMPLEMENTED", f"The local cloud has no organizations, so it cannot tell what {role} holds.")
    if role not in roles() and cloud.store.get(CUSTOM_ROLES, role) is None:
        raise ApiError("INVALID_ARGUMENT", f"Role {role} is not supported for this resource.")
