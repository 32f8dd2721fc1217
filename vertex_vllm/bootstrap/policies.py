"""IAM policies as REST has them, with one member more or less."""

from collections.abc import Mapping
from typing import Any

Policy = Mapping[str, Any]


def has(policy: Policy, role: str, member: str) -> bool:
    """Whether the member has the role without a condition."""
    return any(member in binding.get("members", ()) for binding in policy.get("bindings", ()) if _plain(binding, role))


def with_member(policy: Policy, role: str, member: str) -> Policy:
    """Bindings that grant something else stay as they are."""
    bindings = list(policy.get("bindings", ()))
    at = next((index for index, binding in enumerate(bindings) if _plain(binding, role)), len(bindings))
    members = [*bindings[at].get("members", ()), member] if at < len(bindings) else [member]
    return {
        **policy,
        "version": 3,
        "bindings": [*bindings[:at], {"role": role, "members": members}, *bindings[at + 1 :]],
    }


def without_member(policy: Policy, role: str, member: str) -> Policy:
    bindings = []
    for binding in policy.get("bindings", ()):
        if _plain(binding, role):
            binding = {**binding, "members": [other for other in binding.get("members", ()) if other != member]}
        if binding.get("members"):
            bindings.append(binding)
    return {**policy, "version": 3, "bindings": bindings}


def _plain(binding: Mapping[str, Any], role: str) -> bool:
    return binding["role"] == role and not binding.get("condition")
