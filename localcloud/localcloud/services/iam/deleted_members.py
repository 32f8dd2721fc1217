"""Members of policies whose service account is deleted, and of accounts that are undeleted.

IAM binds roles to the unique id of an account, not to its address. A deleted account's members read
`deleted:serviceAccount:EMAIL?uid=UNIQUE_ID` and grant nothing, also when another account gets the address; they revert
when the account is undeleted. Evidence: `google/iam/v1/policy.proto`, "Binding.members"; Google Cloud's knowledge base,
"Permission denied on deleted and recreated service account"; IAM, "Delete and undelete service accounts"; a project's
policy recorded in 2026 that holds two such members (all read on 2026-11-30). The real service removes them after at
most 60 days; the local cloud keeps them.
"""

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.core.cloud import Cloud, Part
from localcloud.core.permissions.decisions import POLICIES

Rename = Callable[[str, str], None]
"""Replaces one member by another in all policies that a service stores itself."""


class PolicyKeepers(Part):
    """The services that store policies themselves, as Cloud Storage stores its buckets'."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._renames: list[Rename] = []

    def add(self, rename: Rename) -> None:
        self._renames.append(rename)

    def rename(self, old: str, new: str) -> None:
        """Renames in all services. Never call it inside a store transaction: a service may wait for it."""
        for rename in self._renames:
            rename(old, new)


def mark_deleted(cloud: Cloud, account: Mapping[str, Any]) -> None:
    _rename(cloud, _member(account), _deleted_member(account))


def unmark_deleted(cloud: Cloud, account: Mapping[str, Any]) -> None:
    _rename(cloud, _deleted_member(account), _member(account))


def _member(account: Mapping[str, Any]) -> str:
    return f"serviceAccount:{account['email']}"


def _deleted_member(account: Mapping[str, Any]) -> str:
    return f"deleted:serviceAccount:{account['email']}?uid={account['uniqueId']}"


def _rename(cloud: Cloud, old: str, new: str) -> None:
    """Renames a member in all policies. Etags stay: writing the old member back would be refused for the account."""
    with cloud.store.transaction():
        for name, policy in cloud.store.items(POLICIES):
            renamed = [replaced(binding.members, old, new) for binding in policy.bindings]
            if renamed == [list(binding.members) for binding in policy.bindings]:
                continue
            for binding, members in zip(policy.bindings, renamed, strict=True):
                binding.members[:] = members
            cloud.store.put(POLICIES, name, policy)
    cloud.part(PolicyKeepers).rename(old, new)


def replaced(members: Any, old: str, new: str) -> list[str]:
    """`members` with `new` in the place of `old`; addresses have no case."""
    return [new if member.lower() == old.lower() else member for member in members]
