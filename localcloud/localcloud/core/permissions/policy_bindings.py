"""Bindings of IAM policies as values, and whether one of them gives a member a permission."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.core.permissions.policy_conditions import Attributes, holds

_EVERYBODY = "allUsers"
_EVERYBODY_WITH_CREDENTIALS = "allAuthenticatedUsers"
# Members of bucket policies that mean every member with a basic role on the project.
BASIC_ROLES = {"projectOwner": "roles/owner", "projectEditor": "roles/editor", "projectViewer": "roles/viewer"}

# Kinds of members whose membership is not known here.
_NOT_CARRIED_OUT = ("group", "domain")

HasBasicRole = Callable[[str, str], bool]
"""Project and basic role → whether the caller has the role there."""


@dataclass(frozen=True)
class Binding:
    role: str
    members: frozenset[str]
    condition: str = ""
    """A CEL expression; "" = always."""

    def gives(self, member: str, resource: Attributes, has_basic_role: HasBasicRole) -> bool:
        """Whether `member` has the role on `resource` by this binding."""
        included = any(_includes(one, member, has_basic_role) for one in self.members)
        return included and (not self.condition or holds(self.condition, resource))


def of_message(policy: Any) -> Iterable[Binding]:
    """The bindings of a `google.iam.v1.Policy`."""
    for binding in policy.bindings:
        yield Binding(binding.role, frozenset(map(_folded, binding.members)), binding.condition.expression)


def of_json(policy: Mapping[str, Any]) -> Iterable[Binding]:
    """The bindings of a policy as REST has it."""
    for binding in policy.get("bindings", ()):
        expression = str((binding.get("condition") or {}).get("expression", ""))
        yield Binding(binding["role"], frozenset(map(_folded, binding.get("members", ()))), expression)


def refuse_member(member: str) -> str:
    """Why a binding with `member` cannot be carried out here; "" when it can."""
    kind = member.partition(":")[0]
    if kind in _NOT_CARRIED_OUT:
        return f"The local cloud has no {kind}s, so that it cannot tell who is of {member}: name users and accounts."
    return ""


def _includes(named: str, member: str, has_basic_role: HasBasicRole) -> bool:
    if named == _EVERYBODY:
        return True
    # A federated identity has several names: its subject's, and those of the sets that its attributes put it in.
    if named in member.split(" "):
        return bool(member)
    if named == _EVERYBODY_WITH_CREDENTIALS:
        return bool(member)
    kind, _, project = named.partition(":")
    return kind in BASIC_ROLES and has_basic_role(project, BASIC_ROLES[kind])


def _folded(member: str) -> str:
    """The member with its email address in lower case: addresses ignore case."""
    kind, colon, name = member.partition(":")
    return f"{kind}:{name.lower()}" if colon and kind in ("user", "serviceAccount") else member
