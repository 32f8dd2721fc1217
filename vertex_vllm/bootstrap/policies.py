"""Adding a member to an IAM policy, and removing one; policies are REST's JSON."""

from collections.abc import Mapping
from typing import Any

Policy = Mapping[str, Any]


Condition = Mapping[str, Any] | None


def has(policy: Policy, role: str, member: str, condition: Condition = None) -> bool:
    """Whether the member has the role under exactly this condition; None: without one."""
    return any(
        member in binding.get("members", ())
        for binding in policy.get("bindings", ())
        if _grants(binding, role, condition)
    )


def with_member(policy: Policy, role: str, member: str, condition: Condition = None) -> Policy:
    """Bindings that grant something else stay as they are."""
    bindings = list(policy.get("bindings", ()))
    at = next((index for index, binding in enumerate(bindings) if _grants(binding, role, condition)), len(bindings))
    members = [*bindings[at].get("members", ()), member] if at < len(bindings) else [member]
    binding = {"role": role, "members": members} | ({"condition": condition} if condition else {})
    return {**policy, "version": 3, "bindings": [*bindings[:at], binding, *bindings[at + 1 :]]}


def without_member(policy: Policy, role: str, member: str, condition: Condition = None) -> Policy:
    bindings = []
    for binding in policy.get("bindings", ()):
        if _grants(binding, role, condition):
            binding = {**binding, "members": [other for other in binding.get("members", ()) if other != member]}
        if binding.get("members"):
            bindings.append(binding)
    return {**policy, "version": 3, "bindings": bindings}


def _grants(binding: Mapping[str, Any], role: str, condition: Condition) -> bool:
    """Whether it is the binding of that role under that condition; IAM adds no field to a condition."""
    return binding["role"] == role and (binding.get("condition") or None) == (dict(condition) if condition else None)
